"""Reads a weights file of PyTorch's format from before 1.6, without PyTorch and without trusting the file.

The file begins with five pickles, and a pickle may call anything by name. Here it may name four things, and none of
them runs code of the file; and it may use only the instructions that such files have, because others can claim any
amount of memory. (Format: torch/serialization.py, `_legacy_load`.)
"""

import io
import math
import pickle
import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from worker.backbone.architecture import Arrays

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001
TYPES: Final[dict[str, np.dtype[Any]]] = {
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.LongStorage": np.dtype("<i8"),
}
INSTRUCTIONS: Final = re.compile(
    "PROTO|STOP|MARK|GLOBAL|REDUCE|BUILD|BINPERSID|(LONG_)?BIN(PUT|GET)|NONE|NEWTRUE|NEWFALSE|BININT[12]?|LONG1|"
    "BINUNICODE|(EMPTY_)?TUPLE|TUPLE[123]|EMPTY_LIST|APPENDS?|EMPTY_DICT|SETITEMS?"
)


class _Tensor(NamedTuple):
    """Strided values in a storage: its key, and offset, shape and strides in values."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Storage(NamedTuple):
    """Values that stand behind the pickles: their type and number."""

    dtype: np.dtype[Any]
    length: int


def read_arrays(path: Path) -> Arrays:
    """All tensors by name; those of four axes in TensorFlow's order: height, width, inputs, outputs.

    Raises OSError where the file cannot be read, ValueError for any other content.
    """
    try:
        return _read(path.read_bytes())
    except (
        pickle.UnpicklingError,
        EOFError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
    ) as error:
        raise ValueError(f"it is not whole, or not a file of PyTorch's old format: {error}") from error


def _read(data: bytes) -> Arrays:
    file = io.BytesIO(data)
    if not data.startswith(pickle.PROTO) or (_load(file), _load(file)) != (MAGIC, PROTOCOL):
        raise ValueError("it does not begin as PyTorch's old format does")
    if _load(file).get("little_endian") is not True:
        raise ValueError("its numbers are not in little-endian order")
    storages: dict[str, _Storage] = {}
    named = {name: tensor for name, tensor in _load(file, storages).items() if isinstance(tensor, _Tensor)}
    values = {key: _storage(file, storages[key]) for key in _load(file)}
    return {name: _in_our_order(_strided(values[tensor.storage], tensor)) for name, tensor in named.items()}


def _load(file: io.BytesIO, storages: dict[str, _Storage] | None = None) -> Any:
    """What the next pickle says; the storages that its tensors name are put into `storages`."""
    start = file.tell()
    for instruction, argument, place in pickletools.genops(file):
        if not INSTRUCTIONS.fullmatch(instruction.name):
            raise ValueError(f"it has the instruction {instruction.name}, which no file of weights needs")
        # An unpickler makes room for as many values as the largest number by which it is to remember one.
        if instruction.name in ("BINPUT", "LONG_BINPUT") and (argument or 0) > (place or 0) - start:
            raise ValueError("it remembers more values than it has")
    file.seek(start)
    return _Restricted(file, {} if storages is None else storages).load()


def _storage(file: io.BytesIO, storage: _Storage) -> Any:
    """The next values, after their number."""
    if int.from_bytes(file.read(8), "little") != storage.length:
        raise ValueError("a storage has another length than its tensors say")
    data = file.read(storage.length * storage.dtype.itemsize)
    return np.frombuffer(data, storage.dtype, storage.length)


def _strided(values: Any, tensor: _Tensor) -> Any:
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    inside = min((tensor.offset, *tensor.shape, *tensor.strides)) >= 0 and last < len(values)
    if not inside or math.prod(tensor.shape) > len(values):
        raise ValueError("a tensor reaches beyond its storage")
    steps = tuple(stride * values.itemsize for stride in tensor.strides)
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, steps).copy()


def _in_our_order(array: Any) -> Any:
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


class _Restricted(pickle.Unpickler):
    """Collects in `storages` what tensors name."""

    def __init__(self, file: io.BytesIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        allowed: dict[str, Callable[..., Any] | str] = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": _Rebuild(),
            **{each: each for each in TYPES},
        }
        if f"{module}.{name}" not in allowed:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no file of weights needs")
        return allowed[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> str:
        kind, dtype, key, _, count, *_ = pid
        if kind != "storage" or count < 0:
            raise pickle.UnpicklingError("it describes its values in another way than tensors do")
        self._storages[key] = _Storage(TYPES[dtype], count)
        return str(key)


class _Rebuild:
    """Makes a tensor of its description. It has no attributes: a pickle may set those of what it holds."""

    __slots__ = ()

    def __call__(
        self, storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
    ) -> _Tensor:
        return _Tensor(storage, offset, shape, strides)


def efficientnet_names(layer: str) -> tuple[str, str, str, str, str]:
    """The arrays of a layer of EfficientNet, as efficientnet-pytorch calls them."""
    block, _, part = layer.rpartition("_")
    kernel, norm = {
        "stem": ("_conv_stem", "_bn0"),
        "last": ("_conv_head", "_bn1"),
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }[part]
    before = block.replace("block_", "_blocks.") + "." if block else ""
    scale, offset, mean, variance = (
        f"{before}{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")
    )
    return f"{before}{kernel}.weight", scale, offset, mean, variance
