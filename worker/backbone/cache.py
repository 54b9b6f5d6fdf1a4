"""The cache of converted backbones: one entry for each weights file and version of the converters."""

import fcntl
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from worker.backbone.architectures import ARCHITECTURES
from worker.backbone.backbone import FORMAT, Backbone
from worker.backbone.layers import Layers
from worker.backbone.pretrained import read_layers
from worker.backbone.spare import spare_cache
from worker.backbone.weights import WeightsFile, unusable
from worker.lifeline import die_with_parent
from worker.version import version_of

# SHA-256 of each file, by path; written last.
CHECKSUMS = "checksums.json"
CONVERTERS = ("tensorflow", "tensorflowjs")


OnFault = Callable[[OSError], None]
"""Hears why the cache failed, before the work goes on without it; or raises the error, so that it does not."""


def raise_it(error: OSError) -> None:
    raise error


def cached_backbone(weights: WeightsFile, cache: Path, on_fault: OnFault = raise_it) -> Backbone:
    """Return the backbone with `weights`; convert it if it is not cached, into `spare_cache` where the cache fails.

    Raises JobError `base_weights_invalid`, OSError where the temporary folder fails, too.
    """
    key = _key(weights)
    folder = cache / "backbones" / key
    if backbone := _read(folder):
        return backbone
    try:
        return _convert_into(folder, weights)
    except OSError as error:
        on_fault(error)
    spare = spare_cache() / "backbones" / key
    return _read(spare) or _convert_into(spare, weights)


def _key(weights: WeightsFile) -> str:
    parts = [
        str(FORMAT),
        weights.architecture.name,
        weights.sha256,
        *(version_of(name) for name in CONVERTERS),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _convert_into(folder: Path, weights: WeightsFile) -> Backbone:
    """Convert once, even with several processes; replace a damaged entry.

    A killed attempt leaves only a folder `.unfinished`, which the next one removes.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if backbone := _read(folder):
            return backbone
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            _convert(weights, unfinished)
            (unfinished / CHECKSUMS).write_text(json.dumps(_checksums(unfinished), indent=2))
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
        except BaseException:
            # On a full disk it would take the last of the space.
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        return Backbone.read(folder)


def _convert(weights: WeightsFile, folder: Path) -> None:
    """Convert in a process of its own, whose end frees TensorFlow's memory."""
    layers: Layers | None = None
    if weights.path is not None:
        try:
            layers = read_layers(weights.architecture, weights.path)
        except (ValueError, OSError) as error:
            raise unusable(weights, error) from error
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=die_with_parent, initargs=(os.getpid(),)) as process:
        process.submit(_convert_here, weights.architecture.name, layers, weights.name, folder).result()


def _convert_here(architecture: str, layers: Layers | None, name: str, folder: Path) -> None:
    # Random weights are scaled by what the network computes: on one thread, that is the same on every machine.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    from worker.backbone.conversion import convert
    from worker.backbone.random_layers import random_layers

    chosen = ARCHITECTURES[architecture]
    convert(chosen, layers or random_layers(chosen), name, folder)


def _read(folder: Path) -> Backbone | None:
    """Return the entry; `None` where it is absent, or damaged, for example by a power cut."""
    try:
        if json.loads((folder / CHECKSUMS).read_text()) != _checksums(folder):
            return None
        return Backbone.read(folder)
    except (OSError, ValueError, TypeError):
        return None


def _checksums(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CHECKSUMS
    }


if __name__ == "__main__":
    # To fill the cache of a container image: python -m worker.backbone.cache BACKBONE BASE_WEIGHTS CACHE_PATH
    from worker.backbone.choose import choose_backbone

    kept_in = Path(sys.argv[3])
    cached_backbone(choose_backbone(sys.argv[1], sys.argv[2], None, kept_in).weights, kept_in)
