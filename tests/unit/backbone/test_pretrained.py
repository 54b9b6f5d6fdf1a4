"""Layers are those of the publisher's file, with batch normalisation folded in; what does not fit is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.backbones import LITE0, MOBILENET
from tests.support.weights_files import Arrays, made_arrays, small, write_keras_file, write_torch_file
from worker.backbone.architecture import Architecture
from worker.backbone.pretrained import read_layers

Write = Callable[[Arrays, Path], Path]

KINDS = pytest.mark.parametrize(
    ("architecture", "write"),
    [(small(MOBILENET), write_keras_file), (small(LITE0), write_torch_file)],
    ids=["keras", "torch"],
)


@KINDS
def test_a_layer_computes_what_convolution_and_normalisation_did(
    architecture: Architecture, write: Write, tmp_path: Path
) -> None:
    arrays = made_arrays(architecture)
    layers = read_layers(architecture, write(arrays, tmp_path / "weights"))
    assert list(layers) == list(architecture.shapes)
    x = np.random.default_rng(1).normal(size=8).astype(np.float32)
    for name, shape in architecture.shapes.items():
        kernel, scale, offset, mean, variance = (arrays[part] for part in architecture.pretrained.names(name))
        y = _seen(kernel, x)
        expected = (y - mean) / np.sqrt(variance + architecture.pretrained.epsilon) * scale + offset
        layer = layers[name]
        assert (layer.kernel.shape, layer.bias.shape) == (shape, shape[-1:])
        assert layer.kernel.dtype == layer.bias.dtype == np.float32
        assert np.allclose(_seen(layer.kernel, x) + layer.bias, expected, atol=1e-4), name


def _seen(kernel: npt.NDArray[np.float32], x: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """The output for a patch of which all values are some of `x`."""
    flat = kernel.reshape(-1, kernel.shape[-1])
    patch: npt.NDArray[Any] = np.resize(x, len(flat)) @ flat
    return patch


def damage(arrays: Arrays, name: str, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Arrays:
    return arrays | {name: change(arrays[name])}


def with_a(value: float) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    def change(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        changed = array.copy()
        changed.flat[-1] = value
        return changed

    return change


@KINDS
@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize(
    "change",
    [
        with_a(np.nan),
        with_a(np.inf),
        lambda array: array[..., :-1],
        lambda array: np.concatenate([array, array], -1),
        lambda array: array.astype(np.int64),
    ],
    ids=["not a number", "infinite", "too few", "too many", "integers"],
)
def test_an_array_that_does_not_fit_is_refused_by_name(
    architecture: Architecture,
    write: Write,
    part: int,
    change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    tmp_path: Path,
) -> None:
    name = architecture.pretrained.names("block_2_depthwise")[part]
    path = write(damage(made_arrays(architecture), name, change), tmp_path / "weights")
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        read_layers(architecture, path)


@KINDS
def test_a_missing_array_is_named(architecture: Architecture, write: Write, tmp_path: Path) -> None:
    arrays = made_arrays(architecture)
    for layer in ("stem", "block_1_expand", "last"):
        for name in architecture.pretrained.names(layer):
            rest = {other: array for other, array in arrays.items() if other != name}
            with pytest.raises(ValueError, match="there is no "):
                read_layers(architecture, write(rest, tmp_path / "weights"))


@KINDS
def test_a_kernel_with_its_axes_in_another_order_is_refused(
    architecture: Architecture, write: Write, tmp_path: Path
) -> None:
    kernel, *_ = architecture.pretrained.names("block_1_project")
    arrays = damage(made_arrays(architecture), kernel, np.transpose)
    with pytest.raises(ValueError, match="has the shape"):
        read_layers(architecture, write(arrays, tmp_path / "weights"))


def test_a_larger_network_of_the_same_names_is_refused(tmp_path: Path) -> None:
    arrays = made_arrays(small(LITE0))
    with pytest.raises(ValueError):
        read_layers(LITE0, write_torch_file(arrays, tmp_path / "weights"))


@KINDS
def test_a_file_that_is_not_there_is_told(architecture: Architecture, write: Write, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_layers(architecture, tmp_path / "none")
