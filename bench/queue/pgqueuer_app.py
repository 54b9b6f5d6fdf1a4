"""What a pgqueuer worker runs: a job that waits. `python -m bench.queue.pgqueuer_app` starts one."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pgqueuer
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.adapters.connections import connect_asyncpg
from pgqueuer.models import Job


@asynccontextmanager
async def worker() -> AsyncIterator[PgQueuer]:
    """One connection, not a pool, as its performance guide advises for a worker."""
    async with connect_asyncpg() as connection:
        queue = PgQueuer.from_asyncpg_connection(connection)

        @queue.entrypoint("bench")
        async def wait(job: Job) -> None:
            await asyncio.sleep(float(os.environ["JOB_SECONDS"]))

        yield queue


if __name__ == "__main__":
    # What `pgq run` does, which fails before it starts with the Typer that is installed here.
    uvloop.run(
        pgqueuer.run(
            worker,
            heartbeat_timeout=timedelta(seconds=float(os.environ["HEARTBEAT_TIMEOUT"])),
            dequeue_timeout=timedelta(seconds=float(os.environ["DEQUEUE_TIMEOUT"])),
            shutdown_on_listener_failure=True,
        )
    )
