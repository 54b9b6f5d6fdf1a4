"""Random weights, for tests and for who asks for them: nothing that they recognise means anything."""

import numpy as np
import tensorflow as tf

from worker.backbone.architecture import Architecture
from worker.backbone.layers import Layer, Layers
from worker.backbone.network import convolve_with, tail_by, trunk_by
from worker.photos.decode import SIDE


def random_layers(architecture: Architecture, seed: int = 0) -> Layers:
    """Layers whose outputs vary: without this, the features of random weights are the same for every photo.

    Each layer is scaled and shifted so that its outputs for smooth random colours have mean 0 and variance 1, as in
    training from photos (data-dependent initialisation, Krähenbühl et al., ICLR 2016).
    """
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (16, 7, 7, 3)).astype(np.float32)
    layers: Layers = {}

    def convolve(name: str, x: tf.Tensor, stride: int) -> tf.Tensor:
        kernel = random.normal(size=architecture.shapes[name]).astype(np.float32)
        y = convolve_with(tf.constant(kernel), x, stride)
        mean, variance = (moment.numpy() for moment in tf.nn.moments(y, [0, 1, 2]))
        scale = 1 / np.sqrt(variance + 1e-3)
        layers[name] = Layer(kernel * scale, -mean * scale)
        return y * scale - mean * scale

    photos = tf.image.resize(coarse, (SIDE, SIDE), "bicubic")
    tail_by(architecture, convolve, trunk_by(architecture, convolve, photos))
    return layers
