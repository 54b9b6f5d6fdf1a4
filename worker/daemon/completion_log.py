"""What the log says of a job that completed."""

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from worker.events import Event
from worker.job.outcome import TrainedModel
from worker.registry.folder import VersionFolder

# Largest number of lost products in a log line.
NAMED_PRODUCTS: Final = 20


def log_published(log: Any, folder: VersionFolder, trained: TrainedModel) -> None:
    """The job's model is in its place."""
    promotion = trained.promotion
    fields = {
        "version": folder.version,
        "active": promotion.active_version,
        "reason": promotion.reason,
        "products_lost": promotion.products_lost[:NAMED_PRODUCTS],
    }
    log.info(Event.MODEL_PUBLISHED, version=folder.version, path=str(folder.published))
    if promotion.activate:
        log.info(Event.MODEL_ACTIVATED, **fields)
    else:
        log.warning(Event.MODEL_NOT_ACTIVATED, **fields)
    log.info(
        Event.JOB_COMPLETED,
        version=folder.version,
        activated=promotion.activate,
        accuracy=json.loads(trained.accuracy_metrics),
        photos=trained.photos,
        products=trained.products,
        skipped=trained.skipped,
        advice=len(trained.advice),
    )


def log_unchanged(log: Any, version: str) -> None:
    """There was nothing to train."""
    log.info(Event.JOB_COMPLETED, version=version, activated=True, unchanged=True)


def log_coalesced(log: Any, jobs: Sequence[UUID], into: UUID, version: str) -> None:
    """These jobs completed with the job `into`."""
    for job in jobs:
        log.unbind("attempt").info(
            Event.JOB_COALESCED, job_id=str(job), coalesced_into=str(into), version=version
        )
