"""The training child: reads one job from its standard input, trains, and writes messages to its output.

The trained model stays in memory until the input ends, in case the decision about it must be made again.
"""

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import psycopg

from worker.catalogue.rows import read_catalogue
from worker.child.memory import be_killed_first, speaks_of_memory
from worker.child.messages import (
    PREPARE,
    STANDBY,
    Ending,
    Failed,
    Finished,
    Message,
    Ready,
    decode_job,
    decode_reconsider,
    encode,
)
from worker.database.connection import PARAMETERS
from worker.errors import FULL, ErrorCode, JobError, code_of
from worker.job.job import ActiveModel, Job
from worker.job.outcome import Unchanged
from worker.job.progress import CacheUnusable, Notify
from worker.lifeline import die_with_parent
from worker.registry.models import active


def main() -> None:
    """Exit with 0 when the input ends, or after a message that training failed or was not needed."""
    die_with_parent(int(os.environ["DAEMON_PID"]))
    be_killed_first()
    messages = _claim_stdout()

    def send(message: Message) -> None:
        messages.write(encode(message))
        messages.flush()

    if errand := sys.argv[1:]:
        for message in _prepare(stays=errand == [STANDBY]):
            send(message)
        if errand == [PREPARE]:
            return
    if line := sys.stdin.buffer.readline():
        for ending in _run(decode_job(line), sys.stdin.buffer, send):
            send(ending)


def _prepare(stays: bool) -> Iterator[Ready | Failed | CacheUnusable]:
    """Convert the backbone, and import the pipeline if this process `stays`, so that no job waits for it.

    A failure here ends no job: the job meets the same error again and reports it, or does without the cache.
    """
    started = time.monotonic()
    faults: list[OSError] = []
    try:
        from worker.backbone.cache import raise_it
        from worker.backbone.usable import usable_backbone
        from worker.pipeline.active_metadata import read_active_metadata

        before = read_active_metadata(asyncio.run(_active_model())).backbone.architecture
        # Without the cache, only this process could use what it converts.
        usable_backbone(
            os.environ["BACKBONE"],
            os.environ["BASE_WEIGHTS"],
            before,
            Path(os.environ["CACHE_PATH"]),
            faults.append if stays else raise_it,
        )
    except JobError as error:
        yield Failed(error.code, error.message)
        return
    except OSError as error:
        faults.append(error)
    for fault in faults[:1]:
        yield CacheUnusable.because(fault)
    if stays:
        from worker.pipeline import conclude, pipeline  # noqa: F401
        from worker.training import fine_tune  # noqa: F401
    if stays or not faults:
        yield Ready(round(time.monotonic() - started, 3))


async def _active_model() -> ActiveModel | None:
    """`None` also where the database does not say: then the job chooses the backbone."""
    with suppress(psycopg.Error):
        connecting = psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], **PARAMETERS)
        async with await connecting as connection:
            if model := await active(connection):
                return ActiveModel(model.version, Path(os.environ["OUTPUT_PATH"]) / model.version)
    return None


def _claim_stdout() -> BinaryIO:
    """Return standard output for messages only; redirect what libraries print to standard error."""
    messages = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return messages


def _run(job: Job, questions: Iterable[bytes], report: Notify) -> Iterator[Ending]:
    """Yield the ending of the job, and one for each question after it."""
    try:
        from worker.pipeline.conclude import conclude
        from worker.pipeline.pipeline import train_model

        trained = train_model(job, lambda: read_catalogue(os.environ["DATABASE_URL"]), report)
        if isinstance(trained, Unchanged):
            yield trained
            return
        yield Finished(conclude(trained, job.active))
        for line in questions:
            yield Finished(conclude(trained, decode_reconsider(line).active))
    except JobError as error:
        yield Failed(error.code, error.message, traceback.format_exc() if error.__cause__ else None)
    except Exception as error:
        code, message = _explain(error, job)
        yield Failed(code, message, traceback.format_exc())


def _explain(error: Exception, job: Job) -> tuple[ErrorCode, str]:
    """The error code and the message for an exception that no stage handles."""
    if isinstance(error, psycopg.Error):
        return ErrorCode.DATABASE_UNAVAILABLE, f"The products could not be read: {str(error).strip()}"
    if isinstance(error, MemoryError) or speaks_of_memory([str(error)]):
        return ErrorCode.OUT_OF_MEMORY, "Training needed more memory than there is."
    # TensorFlow writes files too, and raises its own error for a full disk.
    if any(os.strerror(number) in str(error) for number in FULL):
        return ErrorCode.STORAGE_FULL, f"There is no space left for the model in {job.folder.parents[2]}."
    if isinstance(error, BrokenProcessPool):
        return ErrorCode.CHILD_DIED, "The process that converts the backbone died."
    if isinstance(error, OSError):
        return code_of(error), f"{error.strerror or error}: {error.filename or job.folder}."
    return ErrorCode.INTERNAL_ERROR, f"Training failed with {type(error).__name__}: {error}"


# The spawned process of the converter imports this file under another name.
if __name__ == "__main__":
    main()
