"""The newest versions that the database knows; no new one may be at or below them."""

from worker.queue.known import newest_result
from worker.registry.models import Connection, newest_version


async def known_versions(connection: Connection) -> tuple[str | None, str | None]:
    """The newest version of a model, active or not or gone, and the newest that a job made."""
    return await newest_version(connection), await newest_result(connection)
