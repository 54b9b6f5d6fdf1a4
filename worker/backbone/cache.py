"""A backbone ready for jobs: converted once, kept in the cache, found by its weights."""

import fcntl
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from worker.backbone.architecture import Layers, load_layers
from worker.backbone.template import Template
from worker.backbone.weights import WeightsFile, download, find_weights, not_kept, unusable
from worker.lifeline import die_with_parent

ENGINE, LAYERS, TEMPLATE, FACTS = "engine.tflite", "layers.npz", "template", "facts.json"
# Written last: SHA-256 of each file, by its path.
CHECKSUMS = "checksums.json"
# Counts up when what is compiled changes, so that what older versions left in the cache is not used.
FORMAT = 2
CONVERTERS = ("tensorflow", "tensorflowjs")


@dataclass(frozen=True)
class Facts:
    """Where every array of the layers is kept, by its name, `block_13_expand/kernel`.

    `slots` names its weight in the template, and those of the head; `offsets` is its first byte in the engine.
    """

    weights: str
    weights_sha256: str
    slots: dict[str, str]
    offsets: dict[str, int]


@dataclass(frozen=True)
class CompiledBackbone:
    """A folder that `compile_backbone` wrote."""

    folder: Path
    facts: Facts

    @property
    def engine(self) -> Path:
        """The LiteRT model."""
        return self.folder / ENGINE

    @cached_property
    def layers(self) -> Layers:
        return load_layers(self.folder / LAYERS)

    @cached_property
    def template(self) -> Template:
        return Template.read(self.folder / TEMPLATE)


def compiled_backbone(base_weights: str, cache: Path) -> CompiledBackbone:
    """The backbone with `imagenet` weights, those of a file's path, or `random` ones, compiled if need be.

    Raises JobError `base_weights_unavailable` or `base_weights_invalid`, OSError when the cache fails.
    """
    found = find_weights(base_weights)
    if found is None:
        _in_a_process_of_its_own(download)
        found = find_weights(base_weights)
        if found is None:  # Keras downloads into the temporary folder where its own cannot be written
            raise not_kept()
    folder = cache / "backbones" / _key(found)
    return _load(folder) or _compile_into(folder, found)


def digest(layers: Layers) -> str:
    """SHA-256 of all weights, in the order of the layers' names."""
    total = hashlib.sha256()
    for name in sorted(layers):
        total.update(layers[name].kernel.tobytes() + layers[name].bias.tobytes())
    return total.hexdigest()


def _key(weights: WeightsFile) -> str:
    parts = [str(FORMAT), weights.sha256, *(version(name) for name in CONVERTERS)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _compile_into(folder: Path, weights: WeightsFile) -> CompiledBackbone:
    """Compile once, whoever else wants the same; a killed attempt leaves nothing that counts.

    What is there and damaged is replaced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if compiled := _load(folder):
            return compiled
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _in_a_process_of_its_own(_compile, weights, unfinished)
        (unfinished / CHECKSUMS).write_text(json.dumps(_checksums(unfinished), indent=2))
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        return CompiledBackbone(folder, Facts(**json.loads((folder / FACTS).read_text())))


def _in_a_process_of_its_own(function, *arguments) -> None:  # type: ignore[no-untyped-def]
    """TensorFlow's memory goes with it."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=die_with_parent, initargs=(os.getpid(),)) as process:
        process.submit(function, *arguments).result()


def _compile(weights: WeightsFile, folder: Path) -> None:
    from worker.backbone.conversion import compile_backbone
    from worker.backbone.network import load_layers_from_keras

    try:
        layers = load_layers_from_keras(None if weights.path is None else str(weights.path))
    except (ValueError, OSError, KeyError) as error:
        raise unusable(weights, error) from error
    compile_backbone(layers, weights.name, folder)


def _load(folder: Path) -> CompiledBackbone | None:
    """`None` where nothing was compiled, or not all of it is as it was written: a power cut may do that."""
    try:
        if json.loads((folder / CHECKSUMS).read_text()) != _checksums(folder):
            return None
        return CompiledBackbone(folder, Facts(**json.loads((folder / FACTS).read_text())))
    except (OSError, ValueError):
        return None


def _checksums(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CHECKSUMS
    }


if __name__ == "__main__":
    # For an image: python -m worker.backbone.cache BASE_WEIGHTS CACHE_PATH
    compiled_backbone(sys.argv[1], Path(sys.argv[2]))
