"""What may take for ever is not waited for when a stop is asked for."""

import asyncio

import pytest

from tests.support.waiting import DEADLINE
from worker.daemon.shutdown import Shutdown


async def test_what_hangs_is_cancelled_when_a_stop_is_asked_for() -> None:
    shutdown, cancelled = Shutdown(0), asyncio.Event()

    async def hang() -> None:
        asyncio.get_running_loop().call_soon(shutdown.asked.set)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert not await shutdown.allows(hang())
    await asyncio.wait_for(cancelled.wait(), DEADLINE)


async def test_what_ends_is_done_and_its_error_is_heard() -> None:
    async def end() -> None:
        pass

    async def fail() -> None:
        raise ValueError("of the work")

    assert await Shutdown(0).allows(end())
    with pytest.raises(ValueError, match="of the work"):
        await Shutdown(0).allows(fail())
