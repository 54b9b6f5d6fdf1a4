"""Runs a published model from its files, without TensorFlow: their weights in the backbone's LiteRT model."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from worker.arrays import softmax
from worker.backbone.backbone import Backbone
from worker.backbone.layers import Layer, Layers, Weights, arrays
from worker.backbone.template import MODEL, Stored, Template, fill_engine
from worker.pipeline.export import PUBLISHED_FLOAT
from worker.registry.folder import METADATA
from worker.training.heads import Head

Predictor = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""Returns probabilities float32 `[n, products]` of RGB uint8 `[n, 224, 224, 3]`. Each thread needs one of its own."""


@dataclass(frozen=True)
class PublishedModel:
    """`labels` are SKUs in the order of the outputs; `head` gives the logits of the features that `layers` give."""

    labels: tuple[str, ...]
    layers: Layers
    head: Head
    _features: int
    _engine: bytes = field(repr=False)

    def is_frozen_in(self, backbone: Backbone) -> bool:
        """Whether its layers are the backbone's own, as they are published: the backbone's features are its own."""
        ours, theirs = arrays(self.layers), arrays(backbone.layers)
        return all(
            name in theirs and np.array_equal(mine, theirs[name].astype(PUBLISHED_FLOAT))
            for name, mine in ours.items()
        )

    def predictor(self) -> Predictor:
        """LiteRT on one thread, a photo at a time, as `litert_engine` runs the backbone."""
        run = Interpreter(model_content=self._engine, num_threads=1).get_signature_runner()

        def predict(photos: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
            features = np.empty((len(photos), self._features), np.float32)
            for index, photo in enumerate(photos):
                features[index] = run(photo=photo[None].astype(np.float32))["features"][0]
            return softmax(self.head.logits(features))

        return predict


def read_published(folder: Path, backbone: Backbone) -> PublishedModel:
    """Read the published model in `folder`; of `backbone` only the architecture counts, not the weights.

    Raises OSError where a file cannot be read, ValueError where files are damaged or not of a model that this
    worker publishes. The files' constants are rounded to the published type, those of the engine are not:
    probabilities differ from a browser's by some thousandths.
    """
    try:
        metadata = _read_metadata(folder)
        _require_as_published(folder, metadata)
        weights = _read_weights(folder, backbone)
        labels = _labels(metadata)
        kernel, bias = weights.pop("head/kernel"), weights.pop("head/bias").ravel()
        features = backbone.architecture.features
        if kernel.shape != (features, len(bias)) or len(bias) != len(labels):
            raise ValueError(
                f"{METADATA} has {len(labels)} labels, and the weights of {MODEL} are for {len(bias)} outputs "
                f"of {features} features, of shape {kernel.shape}"
            )
    except ValueError as error:
        raise ValueError(f"The published model in {folder} cannot be run: {error}.") from error
    engine = fill_engine(backbone.engine.read_bytes(), backbone.facts.offsets, weights)
    names = {name.rpartition("/")[0] for name in weights}
    layers = {name: Layer(weights[f"{name}/kernel"], weights[f"{name}/bias"]) for name in names}
    return PublishedModel(labels, layers, Head(kernel, bias), features, engine)


def _read_metadata(folder: Path) -> dict[str, Any]:
    try:
        metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{METADATA} is damaged: {error}") from error
    if not isinstance(metadata, dict):
        raise ValueError(f"{METADATA} is not an object")
    return metadata


def _labels(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    labels = metadata.get("labels")
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError(f'{METADATA} has no list "labels" of SKUs')
    return tuple(labels)


def _require_as_published(folder: Path, metadata: Mapping[str, Any]) -> None:
    """The weights' files have no check of their own: any bytes of the right length are weights."""
    files = metadata.get("files", {})
    if not isinstance(files, dict) or not all(isinstance(file, dict) for file in files.values()):
        raise ValueError(f'{METADATA} has no object "files" of files')
    for name, file in files.items():
        if name != MODEL and not (name.endswith(".bin") and "/" not in name):
            continue
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != file.get("sha256"):
            raise ValueError(f"{name} is not as it was published: {METADATA} has another SHA-256 of it")


def _read_weights(folder: Path, backbone: Backbone) -> dict[str, Weights]:
    """Every array by its name, float32, in the shape that the layers have; those of the head as they are stored."""
    ours, theirs = backbone.template, Template.read(folder)
    try:
        counterparts = ours.counterparts(theirs)
        pairs = {here: theirs.weights[counterparts[here]] for here in counterparts.keys() & ours.weights}
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{MODEL} is not a graph that gives probabilities ({error!r})") from error
    except ValueError as error:
        raise ValueError(f"{MODEL} is not this worker's graph: {error}") from error
    names = {slot: name for name, slot in backbone.facts.slots.items()}
    shapes = {name: array.shape for name, array in arrays(backbone.layers).items()}
    weights: dict[str, Weights] = {}
    for here, stored in pairs.items():
        own, name = ours.weights[here], names.get(here)
        if name is None:
            if not np.array_equal(stored, own.astype(stored.dtype)):
                raise ValueError(
                    f"{MODEL} is not this worker's graph: its constant {counterparts[here]} differs"
                )
        elif name in shapes and stored.shape != own.shape:
            raise ValueError(f"{name} has the shape {stored.shape} instead of {own.shape}")
        else:
            weights[name] = _as_float32(name, stored).reshape(shapes.get(name, stored.shape))
    return weights


def _as_float32(name: str, stored: Stored) -> Weights:
    if not np.issubdtype(stored.dtype, np.floating) or not np.isfinite(stored).all():
        raise ValueError(f"{name} has values that are not finite numbers")
    return stored.astype(np.float32)
