"""The messages between a training child and its daemon, one JSON line each.

The daemon sends a Job. The child answers with messages such as `["Advanced", {"percentage": 30, …}]`; the last
one is an ending. After a Finished, the child waits for a Reconsider, which it answers with another ending, or
for the end of its input, when it exits.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, get_args

from pydantic import TypeAdapter

from worker.errors import ErrorCode
from worker.job.job import ActiveModel, Job
from worker.job.outcome import TrainedModel, Unchanged
from worker.job.progress import Update

# Arguments of a child, for its work before a job: PREPARE converts the backbone; STANDBY also imports TensorFlow.
PREPARE, STANDBY = "prepare", "standby"


@dataclass(frozen=True)
class Finished:
    """A model is trained, with the decision whether it becomes the active one."""

    model: TrainedModel


@dataclass(frozen=True)
class Reconsider:
    """Asks for a new decision, because the active model has changed since the last one."""

    active: ActiveModel | None


@dataclass(frozen=True)
class Failed:
    """Training failed; the child's last message. `trace` is for the log, `message` for people."""

    code: ErrorCode
    message: str
    trace: str | None = None


@dataclass(frozen=True)
class Ready:
    """The child's work before a job is done; it took `seconds`."""

    seconds: float


Ending = Finished | Unchanged | Failed
Message = Update | Ending | Ready

_KINDS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Message)}
_JOB = TypeAdapter(Job)
_RECONSIDER = TypeAdapter(Reconsider)


def encode(message: Message) -> bytes:
    """One JSON line, with its line end."""
    return json.dumps([type(message).__name__, asdict(message)]).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Parse a line. Raises ValueError or KeyError where it is not a message."""
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
