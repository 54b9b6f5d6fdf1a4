"""The messages between the training process and one that decodes photos: a length, then JSON.

The pixels lie on the desk that both share."""

import json
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, get_args

LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class Request:
    """Asks for a photo's `views`, for its facts, and for its thumbnail.

    `sha256` is the seed of the views. `granted` is the memory in bytes that decoding may take; who needs more asks.
    """

    path: str
    sha256: str
    views: tuple[str, ...]
    facts: bool
    thumbnail: bool
    granted: int


@dataclass(frozen=True)
class Granted:
    """Answers Needs: the memory is there."""


@dataclass(frozen=True)
class Ready:
    """The process has started; its first message."""


@dataclass(frozen=True)
class Needs:
    """Decoding will take so many bytes; the process waits for Granted."""

    memory: int


@dataclass(frozen=True)
class Prepared:
    """What was asked for is on the desk; `thumbnail` is the number of its bytes."""

    facts: dict[str, Any] | None
    thumbnail: int


@dataclass(frozen=True)
class Refused:
    """The file is no usable photo."""

    reason: str
    message: str


@dataclass(frozen=True)
class Unreadable:
    """Reading the file failed with this error of the system."""

    errno: int
    text: str
    file: str


@dataclass(frozen=True)
class OutOfMemory:
    """An allocation failed: at the process's own limit, or, unless `by_limit`, because the machine has no more."""

    by_limit: bool


Message = Request | Granted | Ready | Needs | Prepared | Refused | Unreadable | OutOfMemory

_KINDS: dict[str, Callable[..., Message]] = {kind.__name__: kind for kind in get_args(Message)}


def encode(message: Message) -> bytes:
    text = json.dumps([type(message).__name__, asdict(message)]).encode()
    return LENGTH.pack(len(text)) + text


def decode(text: bytes | bytearray) -> Message:
    """The message of a text, without its length."""
    kind, values = json.loads(text)
    return _KINDS[kind](**values)
