"""Removes old jobs and models while this worker has no job, as JOB_RETENTION_DAYS and KEEP_MODELS say."""

import time
from typing import Final

import psycopg
import structlog

from worker.database.connection import LOCKED, Database, is_outage
from worker.database.storable import said
from worker.errors import UserError
from worker.events import Event
from worker.queue.prune import JobPrune
from worker.registry.models import LOCK_SECONDS
from worker.registry.prune import ModelPrune
from worker.settings import Settings

LOOK_SECONDS: Final = 600.0
"""Between two looks for something to remove."""
NAMED_JOBS: Final = 20

log = structlog.get_logger()


class Retention:
    """Small steps; a worker looks for a job between any two of them."""

    def __init__(self, settings: Settings, database: Database) -> None:
        days, keep = settings.job_retention_days, settings.keep_models
        self._jobs = None if days is None else JobPrune(database.transaction, days)
        models = settings.output_path.absolute()
        self._models = None if keep is None else ModelPrune(database.transaction, models, keep, LOCK_SECONDS)
        self._next = time.monotonic()
        self._refused = 0

    async def step(self) -> bool:
        """Remove a few old jobs or models; return whether there may be more, so that it is to be called again soon.

        Raises one of database.OUTAGE.
        """
        if time.monotonic() < self._next:
            return False
        try:
            if await self._step_jobs() or await self._step_models():
                return True
        except LOCKED:
            # Nothing is urgent here: the next look is soon enough.
            pass
        except (UserError, OSError, psycopg.Error) as error:
            if is_outage(error):
                raise
            reason = said(error) if isinstance(error, psycopg.Error) else str(error)
            log.warning(Event.RETENTION_FAILED, reason=reason)
        self._next = time.monotonic() + LOOK_SECONDS
        return False

    async def _step_jobs(self) -> bool:
        if self._jobs is None:
            return False
        removed = await self._jobs.step()
        if removed:
            names = [str(job) for job in removed[:NAMED_JOBS]]
            log.info(Event.JOBS_PRUNED, count=len(removed), job_ids=names, days=self._jobs.days)
        refused = self._jobs.refused
        if len(refused) > self._refused:
            self._refused = len(refused)
            job, reason = next(reversed(refused.items()))
            log.warning(Event.RETENTION_FAILED, reason=f"{len(refused)} jobs stay, such as {job}: {reason}")
        return removed is not None

    async def _step_models(self) -> bool:
        if self._models is None:
            return False
        removed = await self._models.step()
        for version in removed:
            log.info(Event.MODEL_PRUNED, version=version, keep=self._models.keep)
        return bool(removed)
