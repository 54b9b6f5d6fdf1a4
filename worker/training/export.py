"""Stage 5: backbone and head as one TensorFlow.js graph, from RGB pixels to probabilities."""

from pathlib import Path

import keras

from worker.training.build_model import Backbone
from worker.training.converter import Converter
from worker.training.photo import SIDE
from worker.training.train import Head


def assemble(backbone: Backbone, head: Head) -> keras.Model:
    """The model that is published: float32 `[n, 224, 224, 3]`, 0 to 255, to `[n, products]`, rows sum to 1."""
    photo = keras.Input((SIDE, SIDE, 3), name="photo")
    features = backbone.model(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(photo))
    top = keras.layers.Dense(len(head.bias), activation="softmax", name="probabilities")
    model = keras.Model(photo, top(features), name="products")
    top.set_weights([head.kernel, head.bias])
    return model


def export(backbone: Backbone, head: Head, converter: Converter, folder: Path) -> None:
    """Write `model.json` and `group1-shard*.bin` (float16) into `folder`."""
    keras_file = folder / "model.keras"
    assemble(backbone, head).save(keras_file)
    converter.convert(keras_file, folder)
    keras_file.unlink()
