"""Ten edits need no ten trainings: a job completes the waiting ones that want the same with itself."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog

from tests.support.in_process import daemon_of, publish_or_keep, work
from tests.support.shop import Shop
from worker.child.messages import Failed, Message
from worker.daemon import process
from worker.errors import ErrorCode, UserError
from worker.events import Event
from worker.job.job import Job
from worker.settings import Settings, load_settings


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    """A shop without products: nothing is trained here."""
    return Shop(database, tmp_path / "storage", tmp_path / "models")


class Training:
    """A child that trains nothing, and remembers the jobs that it had."""

    def __init__(self, fails: int = 0) -> None:
        self.jobs: list[UUID] = []
        self._fails = fails

    def __call__(self, job: Job) -> list[Message | bytes]:
        self.jobs.append(UUID(job.job_id))
        if len(self.jobs) <= self._fails:
            return [Failed(ErrorCode.INSUFFICIENT_PHOTOS, "There are too few.")]
        return publish_or_keep(job)


def statuses(shop: Shop, jobs: list[UUID]) -> list[tuple[Any, ...]]:
    rows = [shop.job(job) for job in jobs]
    return [(row["Status"], row["AttemptCount"], row["ResultModelVersion"]) for row in rows]


async def test_ten_edits_make_one_training(shop: Shop) -> None:
    jobs = [shop.insert_job() for _ in range(10)]
    training = Training()
    with structlog.testing.capture_logs() as log:
        await work(shop, training)
    assert training.jobs == jobs[:1]
    [model] = shop.models_in_database()
    assert statuses(shop, jobs) == [("Completed", number == 0, model["Version"]) for number in range(10)]
    first, *others = [shop.job(job)["Result"] for job in jobs]
    assert "coalesced_into" not in first
    assert others == [first | {"coalesced_into": str(jobs[0])}] * 9
    said = [event for event in log if event["event"] == Event.JOB_COALESCED]
    assert {event["job_id"] for event in said} == {str(job) for job in jobs[1:]}
    assert {(event["coalesced_into"], event["version"]) for event in said} == {
        (str(jobs[0]), model["Version"])
    }
    assert all("attempt" not in event for event in said)


async def test_each_is_tried_by_itself_after_one_that_failed(shop: Shop) -> None:
    jobs = [shop.insert_job() for _ in range(3)]
    training = Training(fails=1)
    await work(shop, training)
    assert training.jobs == jobs[:2]
    assert [shop.job(job)["Status"] for job in jobs] == ["Failed", "Completed", "Completed"]
    assert shop.job(jobs[2])["Result"]["coalesced_into"] == str(jobs[1])


async def test_what_forces_a_training_gets_one_where_there_was_nothing_to_train(shop: Shop) -> None:
    shop.insert_job()
    await work(shop)
    jobs = [shop.insert_job(), shop.insert_job({"force": True}), shop.insert_job()]
    training = Training()
    await work(shop, training)
    assert training.jobs == jobs[:2]
    assert shop.job(jobs[2])["Result"]["coalesced_into"] == str(jobs[0])
    assert shop.job(jobs[2])["Result"]["reason"].startswith("Nothing has changed")


async def test_who_does_not_want_it_is_done_alone(shop: Shop) -> None:
    """It neither takes others along nor is taken along."""
    jobs = [shop.insert_job({"coalesce": coalesce}) for coalesce in (True, False, True)]
    training = Training()
    await work(shop, training)
    assert training.jobs == jobs[:2]
    others = [shop.insert_job({"coalesce": coalesce}) for coalesce in (False, True)]
    await work(shop, training)
    assert training.jobs == [*jobs[:2], *others]


async def test_an_edit_during_the_training_has_a_training_of_its_own(shop: Shop) -> None:
    first = shop.insert_job()
    late: list[UUID] = []
    training = Training()

    def edited_meanwhile(job: Job) -> list[Message | bytes]:
        if not late:
            late.append(shop.insert_job())
        return training(job)

    await work(shop, edited_meanwhile)
    assert training.jobs == [first, *late]


async def test_worker_train_comes_too_late_for_a_job_that_was_taken_along_and_says_it_completed(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [shop.insert_job() for _ in range(2)]
    await work(shop)
    monkeypatch.setattr(process, "_daemon", lambda settings, status: daemon_of(shop.database, tmp_path))
    paths = {"storage_path": shop.storage, "output_path": shop.models}
    settings = load_settings(Settings, database_url=shop.database, **paths)
    await process.train(settings, jobs[1])
    with pytest.raises(UserError, match="only a Pending job"):
        await process.train(settings, jobs[0])
