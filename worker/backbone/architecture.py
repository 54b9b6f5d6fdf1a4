"""The architecture of the backbone, MobileNetV2 1.0/224 without its top, and its weights; needs no TensorFlow.

The network has two parts: the trunk stays frozen, the tail may be fine-tuned.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

NAME = "MobileNetV2 1.0/224"

Weights = npt.NDArray[np.float32]

FIRST, LAST = "Conv1", "Conv_1"
TRUNK_BLOCKS = ("expanded_conv", *(f"block_{number}" for number in range(1, 13)))
TAIL_BLOCKS = tuple(f"block_{number}" for number in range(13, 17))
STRIDED = {f"block_{number}" for number in (1, 3, 6, 13)}
SHORTCUTS = {f"block_{number}" for number in (2, 4, 5, 7, 8, 9, 11, 12, 14, 15)}

TAIL_INPUT = (14, 14, 96)
"""Height, width and channels of the trunk's output, which is the tail's input."""

TAPS = {"block_13_expand": 576, "block_16_expand": 960, LAST: 1280}
"""The layers whose pooled outputs are the features, with their numbers of channels."""

FEATURES = sum(TAPS.values())


def parts(block: str) -> tuple[str, ...]:
    """The names of a block's convolutions; the first block has no expansion."""
    names = ("depthwise", "project") if block == "expanded_conv" else ("expand", "depthwise", "project")
    return tuple(f"{block}_{name}" for name in names)


TRUNK = (FIRST, *(name for block in TRUNK_BLOCKS for name in parts(block)))
TAIL = (*(name for block in TAIL_BLOCKS for name in parts(block)), LAST)


@dataclass(frozen=True)
class Layer:
    """A convolution with its batch normalisation folded in.

    `kernel` is float32 `[in, out]`; `[3, 3, channels]` of a depthwise layer, `[3, 3, 3, 32]` of the first.
    `bias` is float32 `[out]`.
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
