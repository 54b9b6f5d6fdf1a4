"""Converts weights to the models that jobs run and publish: once for each backbone, in a process of its own.

The conversion takes longer than training on a hundred photos, and TensorFlow needs a gigabyte; jobs need neither.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf

from worker.backbone.architecture import Architecture
from worker.backbone.backbone import BackboneFacts, write_backbone
from worker.backbone.layers import Layer, Layers, Weights, arrays, digest, in_engine_order
from worker.backbone.network import as_tensors, run_tail, run_trunk
from worker.backbone.template import HEAD, OUTPUT, PARTS, SCORE, SCORE_NODE, Template, fill_engine
from worker.backbone.tfjs_converter import import_converter
from worker.photos.decode import SIDE

PLACEHOLDER_PRODUCTS: Final = 3
PLACEHOLDER_RANK: Final = 5

HIDDEN_LOGIT: Final = -3e4
"""Below any logit, and a number that float16 holds."""


def convert(architecture: Architecture, layers: Layers, name: str, folder: Path) -> None:
    """Convert `layers`, whose weights are called `name`, and write the files that `Backbone` reads into `folder`."""
    stand_ins, head = _stand_ins(architecture)
    engine, template = _engine(architecture, stand_ins), _template(architecture, stand_ins, head)
    slots = _find_slots(template, arrays(stand_ins) | head)
    offsets = _find_offsets(engine, stand_ins)
    values = arrays(layers)
    write_backbone(
        folder,
        fill_engine(engine, offsets, values),
        template.with_weights(
            {slots[each]: array for each, array in values.items()}, products=PLACEHOLDER_PRODUCTS
        ),
        layers,
        BackboneFacts(architecture.name, name, digest(layers), slots, offsets),
    )


def _stand_ins(architecture: Architecture) -> tuple[Layers, dict[str, Weights]]:
    """Random layers, and random arrays of a head, by the names in HEAD and SCORE.

    The converters rename all weights, and random ones are sure to be found again by their values.
    """
    random = np.random.default_rng(0)

    def draw(*shape: int) -> Weights:
        return random.normal(size=shape).astype(np.float32)

    drawn = {name: Layer(draw(*shape), draw(shape[-1])) for name, shape in architecture.shapes.items()}
    sizes = {"features": architecture.features, "products": PLACEHOLDER_PRODUCTS, "rank": PLACEHOLDER_RANK}
    sizes |= {"parts": PARTS, "one": 1}
    return drawn, {name: draw(*(sizes[axis] for axis in axes)) for name, axes in (HEAD | SCORE).items()}


def _engine(architecture: Architecture, layers: Layers) -> bytes:
    """The LiteRT model for one view: input float32 with values 0 to 255, outputs features and the tail's input."""
    tensors = as_tensors(layers)

    @tf.function(input_signature=[tf.TensorSpec([1, SIDE, SIDE, 3], tf.float32, name="photo")])
    def forward(photo: tf.Tensor) -> dict[str, tf.Tensor]:
        tail_input = run_trunk(architecture, tensors, photo)
        return {"features": run_tail(architecture, tensors, tail_input), "tail_input": tail_input}

    with tempfile.TemporaryDirectory() as folder:
        module = tf.Module()
        tf.saved_model.save(module, folder, signatures={"serving_default": forward})
        model: bytes = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return model


def _template(architecture: Architecture, layers: Layers, head: Mapping[str, Weights]) -> Template:
    """The whole graph for TensorFlow.js, from RGB pixels to probabilities, and to the score beside them."""
    tensors = as_tensors(layers)

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="photo")])
    def predict(photo: tf.Tensor) -> dict[str, tf.Tensor]:
        features = run_tail(architecture, tensors, run_trunk(architecture, tensors, photo))
        logits = features @ head["head/kernel"] + head["head/bias"]
        return {OUTPUT: tf.nn.softmax(logits), SCORE_NODE: _score(head, features, logits)}

    with tempfile.TemporaryDirectory() as saved, tempfile.TemporaryDirectory() as converted:
        tf.saved_model.save(tf.Module(), saved, signatures={"serving_default": predict})
        import_converter().convert_tf_saved_model(saved, converted, skip_op_check=False)
        return Template.read(Path(converted)).with_named_outputs()


def _score(head: Mapping[str, Weights], features: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The out-of-distribution score, `[n]`, as worker/training/out_of_distribution.py defines it."""
    first = tf.reduce_max(logits, 1)
    # Selected, not added: a graphics card may hold no number that hides any logit.
    second = tf.reduce_max(tf.where(logits >= first[:, tf.newaxis], HIDDEN_LOGIT, logits), 1)
    inner = logits * head["score/scale"] + head["score/shift"]
    nearest = 2 * tf.reduce_max(inner - head["score/half_lengths"], 1)
    closeness = nearest - tf.reduce_sum((inner @ head["score/basis"]) ** 2, 1)
    similarity = (features @ head["score/mean"])[:, 0]
    parts = tf.stack([first, first - second, closeness, similarity], 1)
    return tf.reduce_sum(parts * head["score/weights"], 1) + head["score/constant"]


def _find_slots(template: Template, stand_ins: Mapping[str, Weights]) -> dict[str, str]:
    """The name of each array's weight in the template."""
    slots: dict[str, str] = {}
    for name, array in stand_ins.items():
        found = _with_values(template, array)
        _require_once(name, "TensorFlow.js graph", len(found))
        [slots[name]] = found
    return slots


def _with_values(template: Template, array: Weights) -> list[str]:
    return [
        name for name, values in template.weights.items() if np.array_equal(values.ravel(), array.ravel())
    ]


def _find_offsets(engine: bytes, layers: Layers) -> dict[str, int]:
    """The first byte of each array in the engine."""
    offsets: dict[str, int] = {}
    for name, array in arrays(layers).items():
        stored = in_engine_order(array).tobytes()
        _require_once(name, "LiteRT model", engine.count(stored))
        offsets[name] = engine.index(stored)
    return offsets


def _require_once(name: str, where: str, times: int) -> None:
    if times != 1:
        raise ValueError(
            f"The converted {where} holds {name} {times} times, not once: this version of the converter changes "
            f"weights. Install the versions of TensorFlow and tensorflowjs in uv.lock."
        )
