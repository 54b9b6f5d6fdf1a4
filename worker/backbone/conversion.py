"""Turns weights into what jobs run and publish: once for each backbone, in a process of its own.

Converting takes longer than training on a hundred photos, and TensorFlow a gigabyte; a job needs neither.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tensorflow as tf

from worker.backbone import architecture
from worker.backbone.architecture import Layer, Layers, Weights, arrays, in_engine_order, save_layers
from worker.backbone.cache import ENGINE, FACTS, LAYERS, TEMPLATE, Facts, digest
from worker.backbone.network import activations, as_tensors, features
from worker.backbone.template import PLACEHOLDER_PRODUCTS, Template, fill_engine
from worker.backbone.tfjs_converter import import_converter
from worker.photos.decode import SIDE


def compile_backbone(layers: Layers, name: str, folder: Path) -> None:
    """Write into `folder` what `CompiledBackbone` reads, of the weights called `name`.

    Raises ValueError for weights that float16 cannot hold.
    """
    stand_ins, head = _stand_ins(layers)
    engine, template = _engine(stand_ins), _template(stand_ins, head)
    slots = _find_slots(template, stand_ins | {"head": head})
    offsets = _find_offsets(engine, stand_ins)
    facts = Facts(weights=name, weights_sha256=digest(layers), slots=slots, offsets=offsets)
    values = arrays(layers)
    (folder / ENGINE).write_bytes(fill_engine(engine, offsets, values))
    (folder / TEMPLATE).mkdir()
    filled = template.with_weights(
        {slots[each]: array for each, array in values.items()}, products=PLACEHOLDER_PRODUCTS
    )
    filled.write(folder / TEMPLATE)
    save_layers(layers, folder / LAYERS)
    (folder / FACTS).write_text(json.dumps(asdict(facts), indent=2))


def _stand_ins(layers: Layers) -> tuple[Layers, Layer]:
    """Layers of the same shapes, and a head: the converters rename all weights, and only random ones are
    certain to be found again by their values."""
    random = np.random.default_rng(0)

    def draw(*shape: int) -> Weights:
        return random.normal(size=shape).astype(np.float32)

    drawn = {
        name: Layer(draw(*layer.kernel.shape), draw(*layer.bias.shape)) for name, layer in layers.items()
    }
    return drawn, Layer(draw(architecture.FEATURES, PLACEHOLDER_PRODUCTS), draw(PLACEHOLDER_PRODUCTS))


def _engine(layers: Layers) -> bytes:
    """The LiteRT model of one photo's view: uint8 values as float32 in, features and activations out."""
    tensors = as_tensors(layers)

    @tf.function(input_signature=[tf.TensorSpec([1, SIDE, SIDE, 3], tf.float32, name="photo")])
    def forward(photo: tf.Tensor) -> dict[str, tf.Tensor]:
        entering = activations(tensors, photo)
        return {"features": features(tensors, entering), "activations": entering}

    with tempfile.TemporaryDirectory() as folder:
        module = tf.Module()
        tf.saved_model.save(module, folder, signatures={"serving_default": forward})
        model: bytes = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return model


def _template(layers: Layers, head: Layer) -> Template:
    """The whole graph for TensorFlow.js, from RGB pixels to probabilities."""
    tensors = as_tensors(layers)

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="photo")])
    def predict(photo: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = features(tensors, activations(tensors, photo)) @ head.kernel + head.bias
        return {"probabilities": tf.nn.softmax(logits)}

    with tempfile.TemporaryDirectory() as saved, tempfile.TemporaryDirectory() as converted:
        tf.saved_model.save(tf.Module(), saved, signatures={"serving_default": predict})
        import_converter().convert_tf_saved_model(
            saved, converted, quantization_dtype_map={"float16": True}, skip_op_check=False
        )
        return Template.read(Path(converted))


def _find_slots(template: Template, layers: Layers) -> dict[str, str]:
    """The name of each array's weight in the template."""
    slots: dict[str, str] = {}
    for name, array in arrays(layers).items():
        found = _with_values(template, array)
        _require_once(name, "TensorFlow.js graph", len(found))
        [slots[name]] = found
    return slots


def _with_values(template: Template, array: Weights) -> list[str]:
    stored = array.astype(np.float16).ravel()
    return [name for name, values in template.weights.items() if np.array_equal(values.ravel(), stored)]


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
            f"weights. Install the versions of TensorFlow and tensorflowjs that uv.lock architecture."
        )
