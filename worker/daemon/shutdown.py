"""Handles SIGTERM and SIGINT: the first asks for a stop, the second for a stop at once."""

import asyncio
import signal
from collections.abc import Coroutine

import structlog

from worker.events import Event

log = structlog.get_logger()


class Shutdown:
    """`asked`: claim no more jobs; finish the running one or put it back. `hurry`: put it back at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurry = asyncio.Event()

    def on_signals(self) -> None:
        """Install the handlers of SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._received, number)

    async def allows(self, work: Coroutine[None, None, None]) -> bool:
        """Do `work`, which may take for ever; where a stop is asked for before its end, cancel it and return False."""
        working, asked = asyncio.create_task(work), asyncio.create_task(self.asked.wait())
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if working.done():
            working.result()
            return True
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return False

    def _received(self, number: signal.Signals) -> None:
        if self.asked.is_set():
            self.hurry.set()
        self.asked.set()
        log.info(Event.WORKER_STOPPING, signal=number.name, hurry=self.hurry.is_set())
