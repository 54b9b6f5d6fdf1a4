"""Turns weights into what jobs run and publish: once for each backbone, in a process of its own.

Converting takes longer than training on a hundred photos, and TensorFlow a gigabyte; a job needs neither.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tensorflow as tf

from worker.backbone import layers as names
from worker.backbone.compiled import ENGINE, FACTS, LAYERS, TEMPLATE, Facts, digest
from worker.backbone.converter import import_converter
from worker.backbone.layers import Layer, Layers, Weights, save_layers
from worker.backbone.network import activations, as_tensors, features
from worker.backbone.template import PLACEHOLDER_PRODUCTS, Template
from worker.training.photo import SIDE


def compile_backbone(layers: Layers, name: str, folder: Path) -> None:
    """Write into `folder` what `CompiledBackbone` reads, of the weights called `name`."""
    save_layers(layers, folder / LAYERS)
    (folder / ENGINE).write_bytes(_engine(layers))
    slots = _write_template(layers, folder / TEMPLATE)
    facts = Facts(weights=name, weights_sha256=digest(layers), slots=slots)
    (folder / FACTS).write_text(json.dumps(asdict(facts), indent=2))


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


def _write_template(layers: Layers, folder: Path) -> dict[str, str]:
    """Convert the whole graph with a head that stands for any other; name the weight of each slot."""
    random = np.random.default_rng(0)
    shapes = ((names.FEATURES, PLACEHOLDER_PRODUCTS), PLACEHOLDER_PRODUCTS)
    head = Layer(*(random.normal(size=shape).astype(np.float32) for shape in shapes))
    tensors = as_tensors(layers)

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="photo")])
    def predict(photo: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = features(tensors, activations(tensors, photo)) @ head.kernel + head.bias
        return {"probabilities": tf.nn.softmax(logits)}

    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(tf.Module(), saved, signatures={"serving_default": predict})
        import_converter().convert_tf_saved_model(
            saved, str(folder), quantization_dtype_map={"float16": True}, skip_op_check=False
        )
    replaceable = {name: layers[name] for name in names.TAIL} | {"head": head}
    return _find_slots(Template.read(folder), replaceable)


def _find_slots(template: Template, replaceable: Layers) -> dict[str, str]:
    """Find each replaceable array among the converted weights by its values: the converter renames them."""
    slots: dict[str, str] = {}
    for layer_name, layer in replaceable.items():
        for part, array in vars(layer).items():
            [slots[f"{layer_name}/{part}"]] = _with_values(template, array)
    return slots


def _with_values(template: Template, array: Weights) -> list[str]:
    stored = array.astype(np.float16).ravel()
    return [name for name, values in template.weights.items() if np.array_equal(values.ravel(), stored)]
