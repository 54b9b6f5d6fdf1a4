"""The backbone in TensorFlow (Sandler et al., CVPR 2018), as functions of its layers.

Each batch normalisation is folded into the convolution before it: a kernel and a bias are all there is to
learn, to keep and to publish, and a browser has a third fewer operations to run.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from worker.backbone import architecture
from worker.backbone.architecture import Layer, Layers
from worker.photos.decode import SIDE

# Beside a channel's mean share, 1/1280, it is small, and it keeps the gradient of the square root finite.
EPSILON = 1e-6

Tensors = Mapping[str, tuple[Any, Any]]
"""A layer's kernel and bias by its name, as anything that TensorFlow computes with."""


def load_layers_from_keras(weights: str | None, seed: int = 0) -> Layers:
    """The layers with the weights of a file, those called `imagenet`, or with random ones.

    Raises what Keras raises: ValueError, OSError or KeyError for a file that holds no such weights, a bare
    Exception for a download that failed.
    """
    keras.utils.set_random_seed(seed)
    model = keras.applications.MobileNetV2(input_shape=(SIDE, SIDE, 3), include_top=False, weights=weights)
    if weights is None:
        _calibrate(model, seed)
    return {name: _fold(model, name) for name in (*architecture.TRUNK, *architecture.TAIL)}


def _calibrate(model: keras.Model, seed: int) -> None:
    """Make random weights' features vary: untouched ones give the same features for every photo.

    Each batch normalisation takes its statistics from smooth random colours, as training would from photos
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
    """Float32 `[n, 14, 14, 96]` of RGB float32 `[n, 224, 224, 3]`, 0 to 255."""
    kernel, bias = trunk[architecture.FIRST]
    x = tf.nn.relu6(tf.nn.conv2d(photo / 127.5 - 1.0, kernel, 2, "SAME") + bias)
    for block in architecture.TRUNK_BLOCKS:
        x, _ = _block(trunk, block, x)
    return x


def run_tail(tail: Tensors, x: tf.Tensor) -> tf.Tensor:
    """Features float32 `[n, 2816]` of the tail's input `x`; differentiable in both.

    Of each tap: every channel's mean as its share of all, and of that the square root, the Hellinger
    mapping, which keeps a few strong channels from drowning the rest (Arandjelović and Zisserman, CVPR 2012).
    """
    outputs = {}
    for block in architecture.TAIL_BLOCKS:
        x, outputs[f"{block}_expand"] = _block(tail, block, x)
    outputs[architecture.LAST] = tf.nn.relu6(_pointwise(x, tail[architecture.LAST]))
    return tf.concat([_hellinger(tf.reduce_mean(outputs[tap], [1, 2])) for tap in architecture.TAPS], 1)


def _block(layers: Tensors, block: str, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What leaves an inverted residual block, and what its expansion gave."""
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
