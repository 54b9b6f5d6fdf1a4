"""The backbone of a job, converted: from the cache, or without one where it cannot be written."""

from pathlib import Path

from worker.backbone.backbone import Backbone
from worker.backbone.cache import OnFault, cached_backbone, raise_it
from worker.backbone.choose import choose_backbone
from worker.backbone.spare import CacheFault, spare_cache


def usable_backbone(
    backbone: str, base_weights: str, active: str | None, cache: Path, on_fault: OnFault = raise_it
) -> tuple[Backbone, str]:
    """Choose as `choose_backbone` does, and convert as `cached_backbone` does; return the backbone and the reason.

    Raises JobError as they do, OSError where the temporary folder cannot be written either.
    """
    try:
        chosen = choose_backbone(backbone, base_weights, active, cache)
    except CacheFault as fault:
        on_fault(fault)
        chosen = choose_backbone(backbone, base_weights, active, spare_cache())
    return cached_backbone(chosen.weights, cache, on_fault), chosen.reason
