"""Handles SIGTERM and SIGINT: the first asks for a stop, the second for a stop at once."""

import asyncio
import signal

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

    def _received(self, number: signal.Signals) -> None:
        if self.asked.is_set():
            self.hurry.set()
        self.asked.set()
        log.info(Event.WORKER_STOPPING, signal=number.name, hurry=self.hurry.is_set())
