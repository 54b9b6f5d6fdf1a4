"""A file system that never answers: a job that meets it is tried again, and is not held for ever."""

import os
from pathlib import Path

import pytest

from tests.support.in_process import daemon_of
from tests.support.registered import activate, publish
from tests.support.shop import Shop
from worker.child.messages import Failed, Message
from worker.daemon import answer
from worker.errors import ErrorCode, UserError
from worker.job.job import Job
from worker.registry.folder import METADATA

VERSION = "v1_20260101"


async def test_an_output_that_hangs_while_a_job_runs_fails_the_attempt(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens a pipe to which nobody writes waits for ever."""
    shop = Shop(database, tmp_path / "storage", tmp_path / "models")
    publish(shop, VERSION)
    activate(shop, VERSION)
    metadata = shop.models / VERSION / METADATA

    def hang(job: Job) -> list[Message | bytes]:
        monkeypatch.setattr(answer, "ANSWER_SECONDS", 0.05)
        metadata.unlink()
        os.mkfifo(metadata)
        return [Failed(ErrorCode.STORAGE_UNAVAILABLE, "The child could not write its files.")]

    job_id = shop.insert_job()
    async with daemon_of(database, tmp_path, hang) as daemon:
        with pytest.raises(UserError, match="has not answered"):
            await daemon.work(until_idle=True)
    job = shop.job(job_id)
    assert (job["Status"], job["ErrorCode"]) == ("Pending", "output_incomplete")
    # Let the threads that wait go.
    os.close(os.open(metadata, os.O_RDWR))
