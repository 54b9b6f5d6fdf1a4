"""What a training child tells its daemon: one JSON line a message, `["Advanced", {"percentage": 30, …}]`."""

import json
from dataclasses import asdict, dataclass
from typing import Any, get_args

from pydantic import TypeAdapter

from worker.errors import ErrorCode
from worker.training.job import Job, TrainedModel
from worker.training.progress import Update


@dataclass(frozen=True)
class Finished:
    """The last message of a child that trained a model."""

    model: TrainedModel


@dataclass(frozen=True)
class Failed:
    """The last message of a child that could not; `trace` is for the log, `message` for people."""

    code: ErrorCode
    message: str
    trace: str | None = None


@dataclass(frozen=True)
class Ready:
    """A child's word that everything it can do before it has a job is done, in so many seconds."""

    seconds: float


Ending = Finished | Failed
Message = Update | Ending | Ready

_KINDS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Message)}
_JOB = TypeAdapter(Job)


def encode(message: Message) -> bytes:
    """One line, with its end."""
    return json.dumps([type(message).__name__, asdict(message)]).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Raises ValueError or KeyError where the line is not a message."""
    kind, values = json.loads(line)
    message: Message = _KINDS[kind].validate_python(values)
    return message


def encode_job(job: Job) -> bytes:
    return _JOB.dump_json(job) + b"\n"


def decode_job(line: bytes) -> Job:
    return _JOB.validate_json(line)
