"""The backbone in TensorFlow (Sandler et al., CVPR 2018), as functions of its layers.

Each batch normalisation is folded into the convolution before it: a layer is a kernel and a bias, and a browser
runs a third fewer operations.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from worker.backbone import architecture
from worker.backbone.architecture import Layer, Layers
from worker.photos.decode import SIDE

# Keeps the gradient of the square root finite; small against a channel's mean share, 1/1280.
EPSILON = 1e-6

Tensors = Mapping[str, tuple[Any, Any]]
"""Kernel and bias of each layer by its name, of any type that TensorFlow accepts."""


def load_layers_from_keras(weights: str | None, seed: int = 0) -> Layers:
    """Load the layers with `weights`: a file's path, `imagenet`, or `None` for random weights from `seed`.

    Raises what Keras raises: ValueError, OSError or KeyError for a file without these weights, a bare
    Exception for a failed download.
    """
    keras.utils.set_random_seed(seed)
    model = keras.applications.MobileNetV2(input_shape=(SIDE, SIDE, 3), include_top=False, weights=weights)
    if weights is None:
        _calibrate(model, seed)
    return {name: _fold(model, name) for name in (*architecture.TRUNK, *architecture.TAIL)}


def _calibrate(model: keras.Model, seed: int) -> None:
    """Make the features of random weights vary; without this, they are the same for every photo.

    Each batch normalisation gets its statistics from smooth random colours, as in training from photos
    (data-dependent initialisation, Krähenbühl et al., ICLR 2016).
    """
    coarse = np.random.default_rng(seed).uniform(-1, 1, (16, 7, 7, 3)).astype(np.float32)
    photos = keras.ops.image.resize(coarse, (SIDE, SIDE), interpolation="bicubic")
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(photos, training=True)


def _fold(model: keras.Model, name: str) -> Layer:
    normalisation = {architecture.FIRST: "bn_Conv1", architecture.LAST: "Conv_1_bn"}.get(name, f"{name}_BN")
    batch_norm = model.get_layer(normalisation)
    gamma, beta, mean, variance = batch_norm.get_weights()
    scale = gamma / np.sqrt(variance + batch_norm.epsilon)
    (kernel,) = model.get_layer(name).get_weights()
    if name.endswith("depthwise"):
        kernel = kernel[..., 0]
    elif name != architecture.FIRST:
        kernel = kernel[0, 0]
    return Layer(kernel * scale, beta - mean * scale)


def as_tensors(layers: Layers) -> dict[str, tuple[Any, Any]]:
    return {name: (tf.constant(layer.kernel), tf.constant(layer.bias)) for name, layer in layers.items()}


def run_trunk(trunk: Tensors, photo: tf.Tensor) -> tf.Tensor:
    """The tail's inputs float32 `[n, 14, 14, 96]` for RGB float32 `[n, 224, 224, 3]`, 0 to 255."""
    kernel, bias = trunk[architecture.FIRST]
    x = tf.nn.relu6(tf.nn.conv2d(photo / 127.5 - 1.0, kernel, 2, "SAME") + bias)
    for block in architecture.TRUNK_BLOCKS:
        x, _ = _block(trunk, block, x)
    return x


def run_tail(tail: Tensors, x: tf.Tensor) -> tf.Tensor:
    """Features float32 `[n, 2816]` of the tail's input `x`; differentiable in both.

    For each tap: the channels' means, divided by their sum, then their square roots. This Hellinger mapping
    keeps a few strong channels from dominating the rest (Arandjelović and Zisserman, CVPR 2012).
    """
    outputs = {}
    for block in architecture.TAIL_BLOCKS:
        x, outputs[f"{block}_expand"] = _block(tail, block, x)
    outputs[architecture.LAST] = tf.nn.relu6(_pointwise(x, tail[architecture.LAST]))
    return tf.concat([_hellinger(tf.reduce_mean(outputs[tap], [1, 2])) for tap in architecture.TAPS], 1)


def _block(layers: Tensors, block: str, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The output of an inverted residual block, and the output of its expansion."""
    *expand, depthwise, project = (layers[name] for name in architecture.parts(block))
    expanded = tf.nn.relu6(_pointwise(x, expand[0])) if expand else x
    y = tf.nn.relu6(_depthwise(expanded, depthwise, stride=2 if block in architecture.STRIDED else 1))
    y = _pointwise(y, project)
    return (x + y if block in architecture.SHORTCUTS else y), expanded


def _pointwise(x: tf.Tensor, layer: tuple[Any, Any]) -> tf.Tensor:
    kernel, bias = layer
    return tf.nn.conv2d(x, kernel[tf.newaxis, tf.newaxis], 1, "SAME") + bias


def _depthwise(x: tf.Tensor, layer: tuple[Any, Any], stride: int) -> tf.Tensor:
    kernel, bias = layer
    return tf.nn.depthwise_conv2d(x, kernel[..., tf.newaxis], [1, stride, stride, 1], "SAME") + bias


def _hellinger(means: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(means / (tf.reduce_sum(means, 1, keepdims=True) + EPSILON) + EPSILON)
