"""The weights of a backbone: a kernel and a bias of each layer; needs no TensorFlow."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """A convolution with its batch normalisation folded in.

    `kernel` is float32, in the shape that `Architecture.shapes` says; `bias` is float32 `[out]`.
    """

    kernel: Weights
    bias: Weights


Layers = dict[str, Layer]


def arrays(layers: Layers) -> dict[str, Weights]:
    """Every kernel and bias by name, such as `block_13_expand/kernel` and `block_13_expand/bias`."""
    return {f"{name}/{part}": array for name, layer in layers.items() for part, array in vars(layer).items()}


def in_engine_order(array: Weights) -> Weights:
    """A kernel or bias with its axes in LiteRT's order: output channels first; of a depthwise kernel, channels last."""
    return array if array.ndim == 3 else np.moveaxis(array, -1, 0)


def digest(layers: Layers) -> str:
    """SHA-256 of all weights, in the order of the layers' names."""
    total = hashlib.sha256()
    for name in sorted(layers):
        total.update(layers[name].kernel.tobytes() + layers[name].bias.tobytes())
    return total.hexdigest()


def save_layers(layers: Layers, path: Path) -> None:
    np.savez(path, allow_pickle=False, **arrays(layers))


def load_layers(path: Path) -> Layers:
    """Raises OSError or ValueError where the file is incomplete."""
    with np.load(path) as file:
        names = {key.rpartition("/")[0] for key in file.files}
        return {name: Layer(file[f"{name}/kernel"], file[f"{name}/bias"]) for name in names}
