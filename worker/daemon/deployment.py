"""The end of a job that succeeded: its row, the model's row and the model's folder, all or none."""

import contextlib
import json
from dataclasses import asdict

from worker.database.connection import OUTAGE, Database
from worker.queue.jobs import CancelRequested, Claim, JobQueue, LeaseLost, State
from worker.registry.folder import VersionFolder, publish, unpublish
from worker.registry.models import Model, is_registered, lock, register_active
from worker.training.job import TrainedModel


async def deploy(
    database: Database, queue: JobQueue, claim: Claim, folder: VersionFolder, trained: TrainedModel
) -> None:
    """Complete the job, make its model the active one and its folder visible, in one transaction.

    The job's row comes first: it is locked, and proves that the job is ours, before anything is seen.
    May be called again after an outage, when nobody knows whether the commit went through.
    Raises LeaseLost, CancelRequested or OSError, then nothing is published; or one of database.OUTAGE. Once the
    version has a row, its folder stays, whatever is raised.
    """
    try:
        async with database.transaction() as connection:
            await queue.complete(connection, claim, folder.version)
            await register_active(connection, _row(folder, trained))
            publish(folder)
    except LeaseLost:
        async with database.transaction() as connection:
            # By an earlier call, of whose commit nobody heard; even the job's row may be gone since.
            if await is_registered(connection, folder.version):
                return
            state = await queue.look(connection, claim.job_id)
        unpublish(folder)
        if state == State("Running", claim.lease_version, cancel_requested=True):
            raise CancelRequested from None
        raise
    except OUTAGE:
        raise
    except BaseException:
        # A folder of which nobody can say whether it has a row is left to the removal of orphans.
        with contextlib.suppress(*OUTAGE):
            async with database.transaction() as connection:
                # The commit of a worker that was cancelled may still be on its way.
                await lock(connection)
                if not await is_registered(connection, folder.version):
                    unpublish(folder)
        raise


def _row(folder: VersionFolder, trained: TrainedModel) -> Model:
    return Model(
        version=folder.version,
        model_path=f"models/{folder.version}",
        accuracy_metrics=json.dumps(asdict(trained.accuracy)),
        photos=trained.photos,
        products=trained.products,
        notes=_notes(trained.skipped),
    )


def _notes(skipped: dict[str, int]) -> str | None:
    if not skipped:
        return None
    reasons = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
    return f"{sum(skipped.values())} photos were left out: {reasons}."
