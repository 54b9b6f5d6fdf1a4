"""A pgqueuer worker whose jobs only sleep. `python -m bench.queue.pgqueuer_app` starts one."""

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
    """Uses one connection, not a pool, as pgqueuer's performance guide advises for a worker."""
    async with connect_asyncpg() as connection:
        queue = PgQueuer.from_asyncpg_connection(connection)

        @queue.entrypoint("bench")
        async def wait(job: Job) -> None:
            await asyncio.sleep(float(os.environ["JOB_SECONDS"]))

        yield queue


if __name__ == "__main__":
    # The same as `pgq run`, which does not start with the installed version of Typer.
    uvloop.run(
        pgqueuer.run(
            worker,
            heartbeat_timeout=timedelta(seconds=float(os.environ["HEARTBEAT_TIMEOUT"])),
            dequeue_timeout=timedelta(seconds=float(os.environ["DEQUEUE_TIMEOUT"])),
            shutdown_on_listener_failure=True,
        )
    )
