"""What SIGTERM and SIGINT mean: the first asks for a stop, the second for haste."""

import asyncio
import signal

import structlog

from worker.events import Event

log = structlog.get_logger()


class Shutdown:
    """`asked`: claim nothing more, and end or give back what runs. `hurry`: give it back at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurry = asyncio.Event()

    def on_signals(self) -> None:
        """Listen to SIGTERM and SIGINT from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._received, number)

    def _received(self, number: signal.Signals) -> None:
        if self.asked.is_set():
            self.hurry.set()
        self.asked.set()
        log.info(Event.WORKER_STOPPING, signal=number.name, hurry=self.hurry.is_set())
