"""The backbone of the active model, as its own files name it."""

import json

from worker.job.job import ActiveModel
from worker.registry.folder import METADATA


def active_backbone(active: ActiveModel | None) -> str | None:
    """The name of the architecture; `None` where there is no active model, or none that says so."""
    if active is None:
        return None
    try:
        name = json.loads((active.folder / METADATA).read_bytes())["backbone"]["architecture"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return name if isinstance(name, str) else None
