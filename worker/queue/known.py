"""What the queue knows of the folders of versions, asked for many at once; the models themselves may be gone."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from uuid import UUID

from worker.queue.jobs import QUERIES, Connection


async def held(connection: Connection, names: Sequence[str]) -> set[str]:
    """Those of the names of claims that still hold their jobs."""
    cursor = await connection.execute(
        QUERIES["held"], {"job_ids": _ids(name.partition(".")[0] for name in names)}
    )
    return {name for (name,) in await cursor.fetchall()}


async def ended_without_model(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    """Those of the ids whose jobs exist and have failed or were cancelled."""
    cursor = await connection.execute(QUERIES["ended_without_model"], {"job_ids": _ids(job_ids)})
    return {job_id for (job_id,) in await cursor.fetchall()}


async def results(connection: Connection, versions: Sequence[str]) -> set[str]:
    """Those of the versions with which a job has completed."""
    cursor = await connection.execute(QUERIES["results"], {"versions": list(versions)})
    return {version for (version,) in await cursor.fetchall()}


async def newest_result(connection: Connection) -> str | None:
    """The newest version with which a job has completed."""
    cursor = await connection.execute(QUERIES["newest_result"])
    row = await cursor.fetchone()
    return row[0] if row else None


def _ids(texts: Iterable[str]) -> list[UUID]:
    ids = []
    for text in texts:
        with suppress(ValueError):
            ids.append(UUID(text))
    return ids
