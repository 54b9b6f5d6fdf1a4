"""The backbone in TensorFlow, as functions of its architecture and its layers.

Each batch normalisation is folded into the convolution before it: a layer is a kernel and a bias, and a browser
runs a third fewer operations.
"""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from worker.backbone.architecture import LAST, STEM, Architecture, Block
from worker.backbone.layers import Layers

# Keeps the gradient of the square root finite; small against a channel's mean share, 1/1280.
EPSILON = 1e-6

Tensors = Mapping[str, tuple[Any, Any]]
"""Kernel and bias of each layer by its name, of any type that TensorFlow accepts."""

Convolution = Callable[[str, tf.Tensor, int], tf.Tensor]
"""The output, before its activation, of a layer by its name, for an input and a stride."""


def as_tensors(layers: Layers) -> dict[str, tuple[Any, Any]]:
    return {name: (tf.constant(layer.kernel), tf.constant(layer.bias)) for name, layer in layers.items()}


def run_trunk(architecture: Architecture, trunk: Tensors, photo: tf.Tensor) -> tf.Tensor:
    """The tail's inputs float32 `[n, *tail_input]` for RGB float32 `[n, 224, 224, 3]`, 0 to 255."""
    return trunk_by(architecture, _convolution(trunk), photo)


def run_tail(architecture: Architecture, tail: Tensors, x: tf.Tensor) -> tf.Tensor:
    """Features float32 `[n, features]` of the tail's input `x`; differentiable in both.

    For each tap: the channels' means, divided by their sum, then their square roots. This Hellinger mapping
    keeps a few strong channels from dominating the rest (Arandjelović and Zisserman, CVPR 2012).
    """
    return tail_by(architecture, _convolution(tail), x)


def trunk_by(architecture: Architecture, convolve: Convolution, photo: tf.Tensor) -> tf.Tensor:
    """As `run_trunk`, with layers that `convolve` runs."""
    x = tf.nn.relu6(
        convolve(STEM, photo / architecture.divisor - architecture.offset / architecture.divisor, 2)
    )
    for block in architecture.trunk_blocks:
        x, _ = _block(convolve, block, x)
    return x


def tail_by(architecture: Architecture, convolve: Convolution, x: tf.Tensor) -> tf.Tensor:
    """As `run_tail`, with layers that `convolve` runs."""
    taps = []
    for block in architecture.tail_blocks:
        x, expanded = _block(convolve, block, x)
        if block.name in architecture.tapped:
            taps.append(expanded)
    taps.append(tf.nn.relu6(convolve(LAST, x, 1)))
    return tf.concat([_hellinger(tf.reduce_mean(tap, [1, 2])) for tap in taps], 1)


def _block(convolve: Convolution, block: Block, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The output of an inverted residual block, and the output of its expansion."""
    *expand, depthwise, project = block.shapes
    expanded = tf.nn.relu6(convolve(expand[0], x, 1)) if expand else x
    y = convolve(project, tf.nn.relu6(convolve(depthwise, expanded, block.stride)), 1)
    return (x + y if block.has_shortcut else y), expanded


def _convolution(layers: Tensors) -> Convolution:
    def convolve(name: str, x: tf.Tensor, stride: int) -> tf.Tensor:
        kernel, bias = layers[name]
        return convolve_with(kernel, x, stride) + bias

    return convolve


def convolve_with(kernel: Any, x: tf.Tensor, stride: int) -> tf.Tensor:
    """A pointwise, depthwise or whole convolution, by the kernel's number of axes."""
    axes = len(kernel.shape)
    if axes == 3:
        return tf.nn.depthwise_conv2d(x, kernel[..., tf.newaxis], [1, stride, stride, 1], "SAME")
    return tf.nn.conv2d(x, kernel[tf.newaxis, tf.newaxis] if axes == 2 else kernel, stride, "SAME")


def _hellinger(means: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(means / (tf.reduce_sum(means, 1, keepdims=True) + EPSILON) + EPSILON)
