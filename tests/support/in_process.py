"""A daemon in the test's own process, whose child is a few lines of the test: a job takes milliseconds."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.faults.stub_model import stub_model
from tests.support.shop import Shop
from worker.child.messages import Finished, Message, decode, encode
from worker.daemon.child_process import Children
from worker.daemon.main_loop import Daemon
from worker.database.connection import Database
from worker.job.job import Job
from worker.job.outcome import Unchanged
from worker.job.progress import Advanced
from worker.settings import Settings, load_settings

Say = Callable[[Job], list[Message | bytes]]


def publish_or_keep(job: Job) -> list[Message | bytes]:
    """Train a first model; after that there is nothing to train."""
    if job.active:
        return [Unchanged(job.active.version)]
    (job.folder / "model.json").write_text("{}")
    return [Advanced(50, "Halfway", 1.0), Finished(stub_model(None))]


class ChildrenInProcess(Children):
    """Children that send what `say` returns: messages, or lines as they are."""

    def __init__(self, say: Say) -> None:
        super().__init__({}, False, None)
        self.say = say

    def prepare(self) -> None:
        """There is nothing to prepare."""

    @asynccontextmanager
    async def train(self, job: Job, log: Any) -> AsyncIterator[Any]:
        async def messages() -> AsyncIterator[Message]:
            for said in self.say(job):
                yield decode(said if isinstance(said, bytes) else encode(said))

        async def kill() -> None:
            """There is no process."""

        yield SimpleNamespace(messages=messages, kill=kill, process=SimpleNamespace(pid=os.getpid()))


@asynccontextmanager
async def daemon_of(
    database: str, folder: Path, say: Say = publish_or_keep, **wanted: object
) -> AsyncIterator[Daemon]:
    """A daemon with the `wanted` settings that has looked for orphans already."""
    paths = {"storage_path": folder / "storage", "output_path": folder / "models"}
    settings = load_settings(Settings, database_url=database, **paths, **wanted)
    async with Database(settings.database_url) as pool:
        daemon = Daemon(settings, pool, ChildrenInProcess(say))
        await daemon.begin()
        yield daemon


async def work(shop: Shop, say: Say = publish_or_keep) -> Daemon:
    """Have a new daemon work until no job is due, and return it."""
    async with daemon_of(shop.database, shop.models.parent, say) as daemon:
        await daemon.work(until_idle=True)
        return daemon
