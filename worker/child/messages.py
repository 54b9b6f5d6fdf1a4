"""The messages between a training child and its daemon, one JSON line each.

The daemon sends a Job. The child answers with messages such as `["Advanced", {"percentage": 30, …}]`, the last of
which is an ending. After a Finished it waits: for a Reconsider, which it answers with another ending, or for the
end of its input, and with it its own.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, get_args

from pydantic import TypeAdapter

from worker.errors import ErrorCode
from worker.job.job import ActiveModel, Job
from worker.job.outcome import TrainedModel, Unchanged
from worker.job.progress import Update

# Arguments of a child: what it does before it has a job. It converts the backbone; to stand by, it imports as well.
PREPARE, STANDBY = "prepare", "standby"


@dataclass(frozen=True)
class Finished:
    """A model is trained, and it is decided whether it becomes the active one."""

    model: TrainedModel


@dataclass(frozen=True)
class Reconsider:
    """Decide again: another model is active by now than the decision was made against."""

    active: ActiveModel | None


@dataclass(frozen=True)
class Failed:
    """The last message of a child that could not; `trace` is for the log, `message` for people."""

    code: ErrorCode
    message: str
    trace: str | None = None


@dataclass(frozen=True)
class Ready:
    """Everything that a child can do before it has a job is done; it took `seconds`."""

    seconds: float


Ending = Finished | Unchanged | Failed
Message = Update | Ending | Ready

_KINDS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Message)}
_JOB = TypeAdapter(Job)
_RECONSIDER = TypeAdapter(Reconsider)


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


def encode_reconsider(message: Reconsider) -> bytes:
    return _RECONSIDER.dump_json(message) + b"\n"


def decode_reconsider(line: bytes) -> Reconsider:
    return _RECONSIDER.validate_json(line)
