"""Writes files of PyTorch's old format, right and wrong, without PyTorch."""

import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from worker.backbone.torch_file import MAGIC, PROTOCOL

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Stored:
    """A tensor of a file: `values` are its whole storage, which tensors with the same `key` share.

    `shape`, `strides` and `offset` are in values; those of the storage, unless they are given. `length` is what the
    file says that the storage has.
    """

    key: str
    values: Values
    shape: tuple[Any, ...] | None = None
    strides: tuple[Any, ...] | None = None
    offset: Any = 0
    length: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        shape = self.values.shape if self.shape is None else self.shape
        strides = tuple(stride // self.values.itemsize for stride in self.values.strides)
        described = self.offset, shape, strides if self.strides is None else self.strides
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (_Reference(self), *described, False, OrderedDict())


@dataclass(frozen=True)
class _Reference:
    """Stands for a storage within the pickle of the tensors."""

    of: Stored


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, _Reference):
            return None
        torch, stored = sys.modules["torch"], obj.of
        kind = torch.LongStorage if stored.values.dtype == np.int64 else torch.FloatStorage
        length = stored.values.size if stored.length is None else stored.length
        return "storage", kind, stored.key, "cpu", length, None


@dataclass(frozen=True)
class TorchFile:
    """The parts of a file. `named` has its tensors, and whatever else it is to hold."""

    named: Mapping[str, Any]
    magic: Any = MAGIC
    protocol: Any = PROTOCOL
    system: Any = field(default_factory=lambda: {"protocol_version": PROTOCOL, "little_endian": True})
    keys: list[Any] | None = None

    def content(self) -> bytes:
        """The whole file, as `torch.save` before 1.6 would have written it."""
        storages = {stored.key: stored.values for stored in self.named.values() if isinstance(stored, Stored)}
        keys = list(storages) if self.keys is None else self.keys
        parts = [pickle.dumps(part, 2) for part in (self.magic, self.protocol, self.system)]
        parts += [self._tensors(), pickle.dumps(keys, 2)]
        for values in storages.values():
            parts += [values.size.to_bytes(8, "little"), values.tobytes()]
        return b"".join(parts)

    def _tensors(self) -> bytes:
        file = io.BytesIO()
        state = OrderedDict(self.named)
        # A module's state has versions besides its tensors.
        state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
        with _modules_of_torch():
            _Pickler(file, 2).dump(state)
        return file.getvalue()


@contextmanager
def _modules_of_torch() -> Iterator[None]:
    """What pickle must find to write the names that PyTorch's files hold."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")

    def _rebuild_tensor_v2() -> None:
        """Only its name is written."""

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    with patch.dict(sys.modules, {"torch": torch, "torch._utils": utils}):
        yield
