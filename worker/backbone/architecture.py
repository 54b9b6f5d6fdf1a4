"""What a backbone's architecture is: one description, which network, conversion, engine and template are made from.

The network has two parts: the trunk stays frozen, the tail may be fine-tuned. Needs no TensorFlow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt

from worker.photos.decode import SIDE

STEM, LAST = "stem", "last"
"""The names of the first and the last layer of every architecture."""

Arrays = dict[str, npt.NDArray[Any]]

Stages = tuple[tuple[int, int, int, int, int], ...]
"""(repeats, kernel, stride, factor, outputs) of each stage of blocks."""


@dataclass(frozen=True)
class Pretrained:
    """Weights that others have trained, in a file that they publish.

    The file is called `file` and has the `sha256`. It is in the Python package `package`, which is installed with the
    worker or only with its `extra`, or it is downloaded from `url`. `read` gives its arrays by name; `names` the names,
    for a layer of ours, of its kernel and of the scale, offset, mean and variance of its batch normalisation, whose
    small constant is `epsilon`.
    """

    file: str
    sha256: str
    read: Callable[[Path], Arrays]
    names: Callable[[str], tuple[str, str, str, str, str]]
    epsilon: float
    package: str = ""
    url: str = ""
    extra: str = ""


@dataclass(frozen=True)
class Block:
    """An inverted residual block: expansion, depthwise convolution, projection (Sandler et al., CVPR 2018).

    `inputs` and `outputs` are numbers of channels; the expansion, which has `factor` times the inputs, is left out
    where that is 1. `kernel` is the side of the depthwise kernel in pixels.
    """

    name: str
    inputs: int
    factor: int
    outputs: int
    kernel: int
    stride: int

    @property
    def expanded(self) -> int:
        """The number of channels of the depthwise convolution."""
        return self.inputs * self.factor

    @property
    def has_shortcut(self) -> bool:
        return self.stride == 1 and self.inputs == self.outputs

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the kernels, by layer, in the order in which they are computed."""
        expansion = {f"{self.name}_expand": (self.inputs, self.expanded)} if self.factor > 1 else {}
        return expansion | {
            f"{self.name}_depthwise": (self.kernel, self.kernel, self.expanded),
            f"{self.name}_project": (self.expanded, self.outputs),
        }


@dataclass(frozen=True)
class Architecture:
    """A network of inverted residual blocks between a strided convolution and a pointwise one, ReLU6 throughout.

    `name` is that of the setting BACKBONE, `title` is for people. The network takes `(pixels - offset) / divisor`.
    The first convolution has `stem_channels` outputs, the last one `last_channels`. The tail begins with the block
    `cut`. The pooled expansions of the blocks `tapped`, and the pooled outputs of the last layer, are the features.
    """

    name: str
    title: str
    offset: float
    divisor: float
    stem_channels: int
    blocks: tuple[Block, ...]
    last_channels: int
    cut: str
    tapped: tuple[str, ...]
    pretrained: Pretrained

    def __str__(self) -> str:
        return self.name

    @cached_property
    def trunk_blocks(self) -> tuple[Block, ...]:
        return self.blocks[: self._cut]

    @cached_property
    def tail_blocks(self) -> tuple[Block, ...]:
        return self.blocks[self._cut :]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all kernels, by layer: `[in, out]`; `[side, side, channels]` of a depthwise layer,
        `[3, 3, 3, out]` of the first."""
        blocks = {name: shape for block in self.blocks for name, shape in block.shapes.items()}
        first, last = (3, 3, 3, self.stem_channels), (self.blocks[-1].outputs, self.last_channels)
        return {STEM: first, **blocks, LAST: last}

    @cached_property
    def tail(self) -> tuple[str, ...]:
        """The layers of the tail."""
        return (*(name for block in self.tail_blocks for name in block.shapes), LAST)

    @cached_property
    def tail_input(self) -> tuple[int, int, int]:
        """Height, width and channels of the trunk's output, which is the tail's input."""
        side = -(-SIDE // 2)
        for block in self.trunk_blocks:
            side = -(-side // block.stride)
        return side, side, self.tail_blocks[0].inputs

    @cached_property
    def features(self) -> int:
        """The number of features of a photo."""
        return self.last_channels + sum(block.expanded for block in self.blocks if block.name in self.tapped)

    @cached_property
    def _cut(self) -> int:
        return [block.name for block in self.blocks].index(self.cut)


def chain(inputs: int, stages: Stages) -> tuple[Block, ...]:
    """Blocks one after another, called `block_0` and so on.

    The stride of a stage is that of its first block.
    """
    blocks: list[Block] = []
    for repeats, kernel, stride, factor, outputs in stages:
        for repeat in range(repeats):
            name = f"block_{len(blocks)}"
            blocks.append(Block(name, inputs, factor, outputs, kernel, 1 if repeat else stride))
            inputs = outputs
    return tuple(blocks)
