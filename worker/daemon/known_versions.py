"""The newest versions that the database knows; no new one may be at or below them."""

from contextlib import suppress

from psycopg.errors import InsufficientPrivilege

from worker.queue.known import newest_result
from worker.registry.models import Connection, newest_activation, newest_version


async def known_versions(connection: Connection) -> list[str | None]:
    """The newest version of a model, active or not, that a job made, and that was active once."""
    known = [await newest_version(connection), await newest_result(connection)]
    # A role that was made for workers 0.1 may not read "ModelActivations".
    with suppress(InsufficientPrivilege):
        async with connection.transaction():
            known.append(await newest_activation(connection))
    return known
