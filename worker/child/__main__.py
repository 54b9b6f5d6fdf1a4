"""The training child: reads one job from its standard input, trains, and tells of it on its output."""

import os
import sys
import traceback
from typing import BinaryIO

import psycopg

from worker.catalogue.catalogue import read_catalogue
from worker.child.lifeline import die_with_parent
from worker.child.memory import limit_memory, speaks_of_memory
from worker.child.messages import Failed, Finished, Message, decode_job, encode
from worker.errors import ErrorCode, JobError, code_of
from worker.training.job import Job
from worker.training.progress import Report


def main() -> None:
    """Exits 0 once the ending was told, whether the job succeeded or not."""
    die_with_parent()
    if megabytes := os.environ.get("CHILD_MEMORY_MB"):
        limit_memory(int(megabytes))
    messages = _claim_stdout()

    def send(message: Message) -> None:
        messages.write(encode(message))
        messages.flush()

    job = decode_job(sys.stdin.buffer.readline())
    send(_run(job, send))


def _claim_stdout() -> BinaryIO:
    """Keep standard output for messages alone: what libraries print goes to standard error."""
    messages = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return messages


def _run(job: Job, report: Report) -> Finished | Failed:
    try:
        from worker.training.pipeline import run_pipeline

        return Finished(run_pipeline(job, lambda: read_catalogue(os.environ["DATABASE_URL"]), report))
    except JobError as error:
        return Failed(error.code, error.message, traceback.format_exc() if error.__cause__ else None)
    except psycopg.Error as error:
        return _failed(ErrorCode.DATABASE_UNAVAILABLE, f"The products could not be read: {error}".strip())
    except MemoryError:
        return _failed(ErrorCode.OUT_OF_MEMORY, "Training needed more memory than it may use.")
    except OSError as error:
        return _failed(code_of(error), f"{error.strerror or error}: {error.filename or job.folder}.")
    except Exception as error:
        if speaks_of_memory([str(error)]):
            return _failed(ErrorCode.OUT_OF_MEMORY, "Training needed more memory than it may use.")
        return _failed(ErrorCode.INTERNAL_ERROR, f"Training failed with {type(error).__name__}: {error}")


def _failed(code: ErrorCode, message: str) -> Failed:
    return Failed(code, message, traceback.format_exc())


# The converter's process is spawned and imports this file under another name.
if __name__ == "__main__":
    main()
