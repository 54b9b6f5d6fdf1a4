"""Completes a successful job: its row, the model's row and the model's folder, all or none."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

import psycopg

from worker.database.connection import OUTAGE, Database
from worker.database.storable import said
from worker.errors import ErrorCode, JobError
from worker.job.outcome import TrainedModel
from worker.queue.claim import CancelRequested, Claim, JobStatus, LeaseLost, State
from worker.queue.coalesce import Same, coalesce
from worker.queue.jobs import JobQueue
from worker.registry.folder import VersionFolder, publish, take_back, unpublish
from worker.registry.live import require_live
from worker.registry.models import (
    LOCK_SECONDS,
    NOTES_LENGTH,
    Active,
    Connection,
    NewModel,
    accuracy_of,
    activate,
    active,
    lock,
    path_of,
    register,
    registered,
)


class ActiveModelChanged(Exception):
    """The active model is now `version`, not the one of the decision about the job; `None` is no model."""

    def __init__(self, version: str | None) -> None:
        super().__init__(version)
        self.version = version


async def publish_and_complete(
    database: Database,
    queue: JobQueue,
    claim: Claim,
    folder: VersionFolder,
    trained: TrainedModel,
    same: Sequence[Same] = (),
    *,
    is_final: bool = False,
) -> list[UUID]:
    """Complete the job, register its model, publish the folder and, if so decided, activate the model, in one
    transaction; complete with it the `same` jobs that still wait, and return their ids.

    The job's row is locked before anything is visible, which proves that this worker holds the job.
    May be called again after an outage, when it is unknown whether the commit succeeded, and while another session
    holds "ModelMetadata" or the row: no call waits for long, and none while it has the row, whose lease is renewed.
    Raises LeaseLost, CancelRequested, OSError, JobError `job_row_refused` or `model_row_refused`, OutputIncomplete
    where the active model's files are lost or, unless the decision `is_final`, ActiveModelChanged: then nothing is
    published. Raises one of database.OUTAGE or LOCKED, too. Once the version has a row, its folder always stays.
    """
    promotion = trained.promotion
    try:
        async with database.transaction() as connection:
            await _begin(connection, queue, claim)
            result = _result(folder.version, trained)
            await queue.complete(connection, claim, folder.version, result)
            now = await active(connection)
            if _version(now) != promotion.active_version and not is_final:
                # An earlier call may have published the folder without a commit.
                take_back(folder)
                raise ActiveModelChanged(_version(now))
            require_live(folder.published.parent, now)
            await register(connection, _row(folder, trained))
            if promotion.activate:
                await activate(connection, folder.version, promotion.reason, queue.worker_id)
            coalesced = await coalesce(connection, claim, same, folder.version, result)
            publish(folder)
        return coalesced
    except (LeaseLost, CancelRequested):
        async with database.transaction() as connection:
            # An earlier call may have committed without an answer; even the job's row may be deleted since.
            if await registered(connection, [folder.version]):
                return []
            state = await queue.look(connection, claim.job_id)
        unpublish(folder)
        _raise_cancel(state, claim)
        raise
    except (*OUTAGE, ActiveModelChanged):
        raise
    except BaseException as error:
        await _unpublish_unless_registered(database, folder)
        if isinstance(error, psycopg.Error):
            raise _refused(error) from error
        raise


async def keep_active(
    database: Database, queue: JobQueue, claim: Claim, models: Path, version: str, same: Sequence[Same] = ()
) -> list[UUID]:
    """Complete a job without training, with `version` in `models` as its result, which must still be the active model.
    Complete with it those of the `same` jobs that force no training, and return their ids.

    May be called again after an outage, and while another session holds a lock, as above. Raises LeaseLost,
    CancelRequested, ActiveModelChanged, OutputIncomplete, or one of database.OUTAGE or LOCKED.
    """
    try:
        async with database.transaction() as connection:
            await _begin(connection, queue, claim)
            # Before the check of the active model, as above: an earlier call may have been committed.
            result = _unchanged(version, await active(connection))
            await queue.complete(connection, claim, version, result)
            now = await active(connection)
            if _version(now) != version:
                raise ActiveModelChanged(_version(now))
            require_live(models, now)
            unforced = [each for each in same if not each.forced]
            return await coalesce(connection, claim, unforced, version, result)
    except LeaseLost:
        async with database.transaction() as connection:
            state = await queue.look(connection, claim.job_id)
        if state and state.status == JobStatus.COMPLETED and state.is_of(claim):
            return []
        _raise_cancel(state, claim)
        raise


async def _begin(connection: Connection, queue: JobQueue, claim: Claim) -> None:
    """Take the lock on models, which comes before the one on the job's row: the order in docs/contract.md."""
    # A cancel is heard also between two calls that do not get the lock.
    await queue.check(connection, claim)
    await lock(connection, LOCK_SECONDS)


async def _unpublish_unless_registered(database: Database, folder: VersionFolder) -> None:
    # During an outage it is unknown whether the folder has a row: the removal of orphans decides later.
    with contextlib.suppress(*OUTAGE):
        async with database.transaction() as connection:
            # Wait for the lock: the commit of a cancelled call may still be in progress.
            await lock(connection)
            if not await registered(connection, [folder.version]):
                unpublish(folder)


def _version(model: Active | None) -> str | None:
    return model.version if model else None


def _raise_cancel(state: State | None, claim: Claim) -> None:
    if state and state.status == JobStatus.RUNNING and state.is_of(claim) and state.cancel_requested:
        raise CancelRequested from None


def _refused(error: psycopg.Error) -> JobError:
    return JobError(
        ErrorCode.MODEL_ROW_REFUSED,
        f'The model\'s row in "ModelMetadata" was refused by the database: {said(error)} Give a column that '
        "docs/contract.md does not list a default, or have the constraint or trigger allow what it lists; then call "
        "retry_training_job.",
    )


def _result(version: str, trained: TrainedModel) -> dict[str, object]:
    return {
        "version": version,
        "activated": trained.promotion.activate,
        "reason": trained.promotion.reason,
        "accuracy": json.loads(trained.accuracy_metrics),
        "advice": [asdict(advice) for advice in trained.advice],
    }


def _unchanged(version: str, model: Active | None) -> dict[str, object]:
    return {
        "version": version,
        "activated": True,
        "reason": "Nothing has changed since the active model was trained.",
        "accuracy": accuracy_of(model.accuracy_metrics) if model else None,
        "advice": [],
    }


def _row(folder: VersionFolder, trained: TrainedModel) -> NewModel:
    return NewModel(
        version=folder.version,
        model_path=path_of(folder.version),
        accuracy_metrics=trained.accuracy_metrics,
        photos=trained.photos,
        products=trained.products,
        notes=_notes(trained),
    )


def _notes(trained: TrainedModel) -> str | None:
    skipped = _skipped(trained.skipped)
    if trained.promotion.activate:
        return skipped or None
    reason = f"Not activated: {trained.promotion.reason}"
    room = NOTES_LENGTH - len(skipped) - 1
    return f"{reason if len(reason) <= room else reason[: room - 1] + '…'} {skipped}".strip()


def _skipped(skipped: dict[str, int]) -> str:
    if not skipped:
        return ""
    reasons = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
    return f"{sum(skipped.values())} photos were left out: {reasons}."
