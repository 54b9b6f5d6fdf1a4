"""`worker jobs …`: removes old jobs."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from worker.cli.connection import connected, transactions
from worker.errors import UserError
from worker.queue.prune import JobPrune
from worker.settings import DatabaseSettings, load_settings

app = typer.Typer(help="Remove old jobs.", no_args_is_help=True)


@app.command()
def prune(
    older_than: Annotated[float, typer.Option(min=0, max=36_500, help="Days since a job has ended.")],
) -> None:
    """Remove the rows of jobs that have ended, as JOB_RETENTION_DAYS has workers do."""
    removed, refused = asyncio.run(_prune(load_settings(DatabaseSettings), older_than))
    typer.echo(f"Removed {_jobs(removed)}." if removed else "There was nothing to remove.")
    if refused:
        job, reason = next(iter(refused.items()))
        raise UserError(f"The database keeps {_jobs(len(refused))}, such as {job}: {reason}")


async def _prune(settings: DatabaseSettings, days: float) -> tuple[int, dict[UUID, str]]:
    """The number of removed jobs, and those that the database keeps."""
    count = 0
    async with connected(settings) as connection:
        jobs = JobPrune(transactions(connection), days)
        while (removed := await jobs.step()) is not None:
            count += len(removed)
    return count, jobs.refused


def _jobs(count: int) -> str:
    return f"{count} job" if count == 1 else f"{count} jobs"
