"""A file of PyTorch's old format is read as it was written; of any other file, no code runs and no memory is taken."""

import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.torch_files import Stored, TorchFile
from worker.backbone.torch_file import efficientnet_names, read_arrays

RANDOM = np.random.default_rng(11)
KERNEL = RANDOM.normal(size=(4, 3, 2, 2)).astype(np.float32)
SMALL = TorchFile(
    {
        "conv.weight": Stored("1", KERNEL),
        "bn.bias": Stored("2", np.arange(4, dtype=np.float32)),
        "bn.num_batches_tracked": Stored("3", np.array(7)),
    }
)


def read(content: bytes, folder: Path) -> Any:
    file = folder / "weights.pth"
    file.write_bytes(content)
    return read_arrays(file)


def test_tensors_are_read_as_they_were_written(tmp_path: Path) -> None:
    arrays = read(SMALL.content(), tmp_path)
    assert sorted(arrays) == sorted(SMALL.named)
    assert np.array_equal(arrays["conv.weight"], KERNEL.transpose(2, 3, 1, 0)), (
        "height, width, inputs, outputs"
    )
    assert np.array_equal(arrays["bn.bias"], [0, 1, 2, 3])
    assert (arrays["bn.num_batches_tracked"].shape, arrays["bn.num_batches_tracked"]) == ((), 7)
    assert [array.dtype for array in arrays.values()] == [np.float32, np.float32, np.int64]


def test_tensors_that_share_a_storage_have_their_own_strides(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32)
    file = TorchFile(
        {
            "transposed": Stored("1", values, (4, 6), (1, 4)),
            "every other one": Stored("1", values, (3,), (2,), offset=5),
            "the last": Stored("1", values, (1, 1), (24, 24), offset=23),
            "nothing": Stored("1", values, (0, 6), (6, 1)),
        }
    )
    arrays = read(file.content(), tmp_path)
    assert np.array_equal(arrays["transposed"], values.reshape(6, 4).T)
    assert arrays["every other one"].tolist() == [5, 7, 9]
    assert arrays["the last"].tolist() == [[23]]
    assert arrays["nothing"].shape == (0, 6)


def test_what_is_no_tensor_is_left_out(tmp_path: Path) -> None:
    arrays = read(TorchFile({**SMALL.named, "epoch": 3, "names": ["a"]}).content(), tmp_path)
    assert sorted(arrays) == sorted(SMALL.named)


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    content = SMALL.content()
    for length in range(len(content)):
        with pytest.raises(ValueError):
            read(content[:length], tmp_path)


def test_a_file_with_a_few_wrong_bits_is_refused_or_read(tmp_path: Path) -> None:
    content = SMALL.content()
    refused = 0
    for _ in range(2000):
        changed = bytearray(content)
        for place in RANDOM.integers(len(content), size=RANDOM.integers(1, 4)):
            changed[place] ^= 1 << int(RANDOM.integers(8))
        try:
            read(bytes(changed), tmp_path)
        except ValueError:
            refused += 1
    assert 500 < refused < 2000


def test_a_file_with_wrong_bytes_is_refused_or_read(tmp_path: Path) -> None:
    content = SMALL.content()
    for place in range(0, len(content), 7):
        for byte in (*b"\0\xff.(R}r\x8b\x8d\x95\x96", int(RANDOM.integers(256))):
            try:
                read(content[:place] + bytes([byte]) + content[place + 1 :], tmp_path)
            except ValueError:
                continue


class Runs:
    """When it is unpickled, it makes a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._file,)


def test_code_that_a_file_names_does_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for file in (
        TorchFile({**SMALL.named, "harm": Runs(trace)}),
        TorchFile(SMALL.named, magic=Runs(trace)),
        TorchFile(SMALL.named, system=Runs(trace)),
        TorchFile(SMALL.named, keys=[Runs(trace)]),
    ):
        with pytest.raises(ValueError, match=r"it names .+, which no file of weights needs"):
            read(file.content(), tmp_path)
        assert not trace.exists()


@pytest.mark.parametrize(
    "named", [b"os\nsystem", b"builtins\neval", b"torch\nload", b"torch._utils\n_rebuild", b"numpy\ndtype"]
)
def test_another_name_is_refused(named: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=named.decode().replace("\n", r"\.")):
        read(b"\x80\x02c" + named + b"\n.", tmp_path)


def remembers(number: int) -> bytes:
    """A pickle of nothing, remembered by that number."""
    return b"\x80\x02Nr" + struct.pack("<I", number) + b"."


@pytest.mark.parametrize(
    "content",
    [
        remembers(0xFFFFFFFF),
        remembers(1 << 24),
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
        b"\x80\x02X" + struct.pack("<I", 0xFFFFFFF0) + b".",
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b".",
    ],
)
def test_a_pickle_that_claims_memory_gets_none(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        read(content, tmp_path)


def test_what_a_pickle_is_told_to_change_stays_as_it_is(tmp_path: Path) -> None:
    rebuild = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n"
    with pytest.raises(ValueError):
        read(rebuild + b"N}X\x05\0\0\0extraK\x01s\x86b.", tmp_path)
    for kind in (b"torch\nFloatStorage", b"collections\nOrderedDict"):
        with pytest.raises(ValueError):
            read(b"\x80\x02c" + kind + b"\nN}X\x05\0\0\0extraK\x01s\x86b.", tmp_path)
    assert not hasattr(OrderedDict, "extra")
    assert read(SMALL.content(), tmp_path)


VALUES = np.arange(6, dtype=np.float32)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((7,), (1,), 0),
        ((6,), (1,), 1),
        ((2, 3), (4, 1), 0),
        ((2,), (6,), 0),
        ((3,), (-1,), 2),
        ((1,), (1,), -1),
        ((1,), (1,), 6),
        ((), (), 6),
        ((-1,), (1,), 0),
        ((-2, -3), (1, 1), 0),
        ((1 << 62, 4), (0, 0), 0),
        ((1000, 1000, 1000), (0, 0, 0), 0),
        ((7,), (0,), 0),
        ((2,), (1 << 63,), 0),
        ((0, 1 << 70), (1, 1), 0),
        ((2, 3), (3,), 0),
        ((2.0, 3.0), (3, 1), 0),
        (("2",), (1,), 0),
        ((1,) * 70, (1,) * 70, 0),
        ((6,), (1,), None),
        ((6,), (1,), 0.5),
    ],
)
def test_a_tensor_that_its_storage_cannot_hold_is_refused(
    shape: tuple[Any, ...], strides: tuple[Any, ...], offset: Any, tmp_path: Path
) -> None:
    with pytest.raises(ValueError):
        read(TorchFile({"a": Stored("1", VALUES, shape, strides, offset)}).content(), tmp_path)


@pytest.mark.parametrize("length", [5, 7, 0, 1 << 40, -1])
def test_a_storage_of_another_length_than_was_said_is_refused(length: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        read(TorchFile({"a": Stored("1", VALUES, (5,), (1,), length=length)}).content(), tmp_path)


@pytest.mark.parametrize(
    "file",
    [
        TorchFile(SMALL.named, magic=1),
        TorchFile(SMALL.named, protocol=1000),
        TorchFile(SMALL.named, system={"little_endian": False}),
        TorchFile(SMALL.named, system={}),
        TorchFile(SMALL.named, system=None),
        TorchFile(SMALL.named, keys=["1", "2"]),
        TorchFile(SMALL.named, keys=["1", "2", "4"]),
        TorchFile(SMALL.named, keys=[["1"]]),
    ],
)
def test_a_file_that_is_otherwise_made_is_refused(file: TorchFile, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        read(file.content(), tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x80", b"\0" * 64, b"\x89HDF\r\n\x1a\n", pickle.dumps([1, 2], 5)])
def test_another_kind_of_file_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        read(content, tmp_path)


def test_the_format_since_torch_1_6_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "new.pth", "w") as file:
        file.writestr("archive/data.pkl", SMALL.content())
    with pytest.raises(ValueError, match="does not begin as PyTorch's old format does"):
        read_arrays(tmp_path / "new.pth")
    with pytest.raises(OSError):
        read_arrays(tmp_path / "none.pth")


def test_layers_have_the_names_that_efficientnet_pytorch_gives_them() -> None:
    assert efficientnet_names("stem") == (
        "_conv_stem.weight",
        "_bn0.weight",
        "_bn0.bias",
        "_bn0.running_mean",
        "_bn0.running_var",
    )
    assert efficientnet_names("block_12_project")[:2] == (
        "_blocks.12._project_conv.weight",
        "_blocks.12._bn2.weight",
    )
    assert efficientnet_names("last")[0] == "_conv_head.weight"
