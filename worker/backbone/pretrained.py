"""The layers of an architecture, from a file with pretrained weights."""

from pathlib import Path

import numpy as np

from worker.backbone.architecture import Architecture, Arrays
from worker.backbone.layers import Layer, Layers, Weights


def read_layers(architecture: Architecture, path: Path) -> Layers:
    """Fold each batch normalisation into the convolution before it: the network then runs a third fewer operations.

    Raises OSError where the file cannot be read, ValueError where it does not hold weights of this architecture.
    """
    pretrained = architecture.pretrained
    found = pretrained.read(path)
    layers: Layers = {}
    for layer, shape in architecture.shapes.items():
        kernel, *norm = pretrained.names(layer)
        scale, offset, mean, variance = (_array(found, name, shape[-1:]) for name in norm)
        factor = scale / np.sqrt(variance + np.float32(pretrained.epsilon))
        layers[layer] = Layer(
            np.ascontiguousarray(_array(found, kernel, shape) * factor), offset - mean * factor
        )
    return layers


def _array(found: Arrays, name: str, shape: tuple[int, ...]) -> Weights:
    """The array called `name`, which may have axes of length 1 besides those of `shape`."""
    if name not in found:
        raise ValueError(f"there is no {name} in it")
    array = found[name]
    if [size for size in array.shape if size > 1] != [size for size in shape if size > 1]:
        raise ValueError(f"{name} has the shape {array.shape} instead of {shape}")
    if array.dtype != np.float32 or not np.isfinite(array).all():
        raise ValueError(f"{name} is not of finite float32 numbers")
    weights: Weights = array.reshape(shape)
    return weights
