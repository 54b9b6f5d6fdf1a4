"""The descriptions of the architectures are those of the files that others have trained."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backbones import LITE0
from worker.backbone.architecture import Architecture
from worker.backbone.architectures import ARCHITECTURES
from worker.backbone.pretrained import read_layers
from worker.backbone.weights import pretrained_weights

BLOCKS_OF_LITE2 = """
    32-16/3
    16-24/3 24-24/3 24-24/3
    24-48/5 48-48/5 48-48/5
    48-88/3 88-88/3 88-88/3 88-88/3
    88-120/5 120-120/5 120-120/5 120-120/5
    120-208/5 208-208/5 208-208/5 208-208/5 208-208/5
    208-352/3
"""
"""Inputs, outputs and kernel of each block in efficientnet-lite2-9656183e.pth."""


def shapes_in(blocks: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for number, block in enumerate(blocks.split()):
        channels, _, side = block.partition("/")
        inputs, outputs = map(int, channels.split("-"))
        expanded = inputs * 6 if number else inputs
        if number:
            yield f"block_{number}_expand", (inputs, expanded)
        yield f"block_{number}_depthwise", (int(side), int(side), expanded)
        yield f"block_{number}_project", (expanded, outputs)


def test_each_is_listed_by_its_name() -> None:
    assert list(ARCHITECTURES) == ["mobilenet_v2", "efficientnet_lite0", "efficientnet_lite2"]
    assert all(architecture.name == name for name, architecture in ARCHITECTURES.items())


@pytest.mark.parametrize(
    ("name", "blocks", "tail_input", "features", "tail_layers"),
    [
        ("mobilenet_v2", 17, (14, 14, 96), 576 + 960 + 1280, 13),
        ("efficientnet_lite0", 16, (14, 14, 112), 672 + 1152 + 1280, 16),
        ("efficientnet_lite2", 21, (14, 14, 120), 720 + 1248 + 1280, 19),
    ],
)
def test_each_has_the_size_that_is_written_of_it(
    name: str, blocks: int, tail_input: tuple[int, int, int], features: int, tail_layers: int
) -> None:
    architecture = ARCHITECTURES[name]
    assert len(architecture.blocks) == blocks
    assert architecture.tail_input == tail_input
    assert architecture.features == features
    assert len(architecture.tail) == tail_layers
    assert architecture.trunk_blocks + architecture.tail_blocks == architecture.blocks
    assert architecture.tail_blocks[0].stride == 2, (
        "what is kept of a photo is large before, and small after it"
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=lambda architecture: architecture.name)
def test_what_each_layer_gives_is_what_the_next_one_takes(architecture: Architecture) -> None:
    channels = architecture.stem_channels
    for block in architecture.blocks:
        assert block.inputs == channels
        channels = block.outputs
    assert architecture.shapes["last"] == (channels, architecture.last_channels)
    names = [pair for layer in architecture.shapes for pair in architecture.pretrained.names(layer)]
    assert len(set(names)) == len(names), "no two layers read the same array"


def test_lite0_is_as_its_package_has_it(tmp_path: Path) -> None:
    weights = pretrained_weights(LITE0, tmp_path)
    assert weights
    assert weights.path
    layers = read_layers(LITE0, weights.path)
    assert {name: layer.kernel.shape for name, layer in layers.items()} == LITE0.shapes
    assert all(layer.bias.shape == layer.kernel.shape[-1:] for layer in layers.values())


def test_lite2_is_as_its_file_has_it() -> None:
    shapes = {"stem": (3, 3, 3, 32), **dict(shapes_in(BLOCKS_OF_LITE2)), "last": (352, 1280)}
    assert ARCHITECTURES["efficientnet_lite2"].shapes == shapes


def test_mobilenet_v2_has_as_many_weights_as_keras_says() -> None:
    architecture = ARCHITECTURES["mobilenet_v2"]
    kernels = sum(_size(shape) for shape in architecture.shapes.values())
    norms = 4 * sum(shape[-1] for shape in architecture.shapes.values())
    assert kernels + norms == 2_257_984


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
