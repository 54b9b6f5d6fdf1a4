"""Which backbone a job trains on, and why."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.backbone.architecture import Architecture
from worker.backbone.architectures import ARCHITECTURES
from worker.backbone.download import download, has_failed_before, note_failure
from worker.backbone.weights import (
    WeightsFile,
    architecture_of,
    how_to_supply,
    own_weights,
    pretrained_weights,
    random_weights,
)
from worker.errors import ErrorCode, JobError
from worker.job.job import IMAGENET, RANDOM

AUTO: Final = "auto"


@dataclass(frozen=True)
class ChosenBackbone:
    """The weights, with their architecture, and a sentence that says why these."""

    weights: WeightsFile
    reason: str


def choose_backbone(backbone: str, base_weights: str, active: str | None, cache: Path) -> ChosenBackbone:
    """Choose by the settings BACKBONE, BASE_WEIGHTS and CACHE_PATH, and the name of the `active` model's architecture.

    Raises JobError `base_weights_unavailable` or `base_weights_invalid`; CacheFault where CACHE_PATH cannot be written,
    and would have to be.
    """
    asked = None if backbone == AUTO else ARCHITECTURES[backbone]
    if base_weights == RANDOM:
        weights = random_weights(asked or next(iter(ARCHITECTURES.values())))
        return ChosenBackbone(weights, "BASE_WEIGHTS asks for random weights, which recognise nothing.")
    if base_weights != IMAGENET:
        path = Path(base_weights)
        architecture = asked or architecture_of(path) or next(iter(ARCHITECTURES.values()))
        return ChosenBackbone(own_weights(architecture, path), f"BASE_WEIGHTS names {path}.")
    if asked:
        return ChosenBackbone(_required(asked, cache), f"BACKBONE is {asked.name}.")
    return _first_available(active, cache)


def _required(architecture: Architecture, cache: Path) -> WeightsFile:
    if found := pretrained_weights(architecture, cache):
        return found
    fault = download(architecture, cache) if architecture.pretrained.url else "the package is not installed"
    if not fault and (found := pretrained_weights(architecture, cache)):
        return found
    raise JobError(
        ErrorCode.BASE_WEIGHTS_UNAVAILABLE,
        f"The weights of {architecture.title} could not be had: {fault}. {how_to_supply(architecture)}",
    )


def _first_available(active: str | None, cache: Path) -> ChosenBackbone:
    """The active model's, so that new models can be compared with it; else the first that needs no extra."""
    missing: list[str] = []
    usual = [name for name, architecture in ARCHITECTURES.items() if not architecture.pretrained.extra]
    for name in dict.fromkeys([*([active] if active in ARCHITECTURES else ()), *usual]):
        architecture = ARCHITECTURES[name]
        found, fault = _found_or_downloaded(architecture, cache)
        if found:
            why = "The active model has it" if name == active else "It is the first whose weights are there"
            return ChosenBackbone(found, f"{why}{''.join(missing)}.")
        missing.append(f"; the weights of {architecture.title} are not: {fault}")
    names = ", ".join(ARCHITECTURES[name].title for name in usual)
    raise JobError(ErrorCode.BASE_WEIGHTS_UNAVAILABLE, f"There are no weights of {names}{''.join(missing)}.")


def _found_or_downloaded(architecture: Architecture, cache: Path) -> tuple[WeightsFile | None, str]:
    """The weights, or why they could not be had. What failed once is not tried again."""
    try:
        if found := pretrained_weights(architecture, cache):
            return found, ""
    except JobError as error:
        return None, error.message.removesuffix(".")
    if not architecture.pretrained.url:
        return None, "the package is not installed"
    if has_failed_before(architecture, cache):
        return None, "they could not be downloaded"
    if fault := download(architecture, cache):
        note_failure(architecture, cache, fault)
        return None, f"they could not be downloaded ({fault})"
    return pretrained_weights(architecture, cache), "the download vanished"
