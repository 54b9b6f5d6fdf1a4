"""A small architecture, and files with made-up weights of it and of others."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from tests.support.torch_files import Stored, TorchFile
from worker.backbone.architecture import Architecture, chain

Arrays = dict[str, npt.NDArray[Any]]


def small(architecture: Architecture) -> Architecture:
    """The same with fewer and narrower layers."""
    blocks = chain(inputs=4, stages=((1, 3, 1, 1, 4), (2, 5, 2, 2, 6)))
    return replace(
        architecture, stem_channels=4, blocks=blocks, last_channels=8, cut="block_1", tapped=("block_1",)
    )


def made_arrays(architecture: Architecture) -> Arrays:
    """Arrays under the names of the publisher's file, in the shapes that the description gives."""
    random = np.random.default_rng(5)
    arrays: Arrays = {}
    for layer, shape in architecture.shapes.items():
        kernel, *norm = architecture.pretrained.names(layer)
        arrays[kernel] = random.normal(size=shape).astype(np.float32)
        for name in norm:
            arrays[name] = random.uniform(0.5, 2, shape[-1:]).astype(np.float32)
    return arrays


def write_keras_file(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def write_torch_file(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> Path:
    """Kernels get four axes in PyTorch's order, as they are published: outputs, inputs, height, width."""
    stored = {
        name: Stored(str(key), _in_torch_order(array)) for key, (name, array) in enumerate(arrays.items())
    }
    path.write_bytes(TorchFile(stored).content())
    return path


def _in_torch_order(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    match array.ndim:
        case 2:
            array = array.T[:, :, None, None]
        case 3:
            array = array.transpose(2, 0, 1)[:, None]
        case 4:
            array = array.transpose(3, 2, 0, 1)
    return np.ascontiguousarray(array)
