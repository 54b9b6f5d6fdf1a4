"""The cache of converted backbones: one entry for each weights file and version of the converters."""

import fcntl
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

from worker.backbone.backbone import FORMAT, Backbone
from worker.backbone.weights import WeightsFile, download, find_weights, not_kept, unusable
from worker.lifeline import die_with_parent

# SHA-256 of each file, by path; written last.
CHECKSUMS = "checksums.json"
CONVERTERS = ("tensorflow", "tensorflowjs")


def cached_backbone(base_weights: str, cache: Path) -> Backbone:
    """Return the backbone with `base_weights`: `imagenet`, a file's path, or `random`; convert it if not cached.

    Raises JobError `base_weights_unavailable` or `base_weights_invalid`, OSError when the cache fails.
    """
    found = find_weights(base_weights)
    if found is None:
        _in_own_process(download)
        found = find_weights(base_weights)
        if found is None:  # Keras downloads into the temporary folder where its own cannot be written
            raise not_kept()
    folder = cache / "backbones" / _key(found)
    return _read(folder) or _convert_into(folder, found)


def _key(weights: WeightsFile) -> str:
    parts = [str(FORMAT), weights.sha256, *(version(name) for name in CONVERTERS)]
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
        _in_own_process(_convert, weights, unfinished)
        (unfinished / CHECKSUMS).write_text(json.dumps(_checksums(unfinished), indent=2))
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        return Backbone.read(folder)


def _in_own_process(function, *arguments) -> None:  # type: ignore[no-untyped-def]
    """Run `function` in a process of its own, whose end frees TensorFlow's memory."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=die_with_parent, initargs=(os.getpid(),)) as process:
        process.submit(function, *arguments).result()


def _convert(weights: WeightsFile, folder: Path) -> None:
    # Random weights are scaled by what the network computes: on one thread, that is the same on every machine.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    from worker.backbone.conversion import convert
    from worker.backbone.network import load_layers_from_keras

    try:
        layers = load_layers_from_keras(None if weights.path is None else str(weights.path))
    except (ValueError, OSError, KeyError) as error:
        raise unusable(weights, error) from error
    convert(layers, weights.name, folder)


def _read(folder: Path) -> Backbone | None:
    """Return the entry; `None` where it is absent, or damaged, for example by a power cut."""
    try:
        if json.loads((folder / CHECKSUMS).read_text()) != _checksums(folder):
            return None
        return Backbone.read(folder)
    except (OSError, ValueError):
        return None


def _checksums(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CHECKSUMS
    }


if __name__ == "__main__":
    # To fill the cache of a container image: python -m worker.backbone.cache BASE_WEIGHTS CACHE_PATH
    cached_backbone(sys.argv[1], Path(sys.argv[2]))
