"""Handles SIGTERM and SIGINT: the first asks for a stop, the second for a stop at once; the process ends in time."""

import asyncio
import contextvars
import os
import signal
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import structlog

from worker.events import Event

# After the grace: when the work is given up, and when the process ends, whatever still hangs in it.
GIVE_UP_SECONDS: Final = 3.5
END_SECONDS: Final = 4.75
# What is left of the grace after a second signal.
HURRIED_SECONDS: Final = 1.0

Given = TypeVar("Given")
log = structlog.get_logger()


class GivenUp(Exception):
    """The work was not done when it had to end, because Postgres or a disk did not answer."""


class Shutdown:
    """`asked`: claim no more jobs; finish the running one or put it back. `hurry`: put it back at once.

    `grace` is SHUTDOWN_GRACE in seconds; `status` is the exit status of a process that has to be ended.
    """

    def __init__(self, grace: float, status: int = 0) -> None:
        self.asked = asyncio.Event()
        self.hurry = asyncio.Event()
        self._over = asyncio.Event()
        self._grace, self._status = grace, status
        self._has_stopped = False

    def on_signals(self) -> None:
        """Install the handlers of SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._received, number)

    async def allows(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do the work; where a signal comes before its end, cancel it and return False."""
        try:
            await _do(work, unless=self.asked)
        except GivenUp:
            return False
        return True

    async def within(self, work: Coroutine[Any, Any, Given]) -> Given:
        """Do the work; raise GivenUp where it does not end in time after a signal. Its cancellation may still go on."""
        try:
            return await _do(work, unless=self._over)
        except GivenUp:
            # Nobody is to hear of what is cancelled now, and that it found its connections closed.
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            raise

    def stopped(self) -> None:
        """Log the end, once."""
        if not self._has_stopped:
            self._has_stopped = True
            log.info(Event.WORKER_STOPPED)

    def _received(self, number: signal.Signals) -> None:
        if self.asked.is_set():
            self.hurry.set()
        self.asked.set()
        log.info(Event.WORKER_STOPPING, signal=number.name, hurry=self.hurry.is_set())
        grace = min(self._grace, HURRIED_SECONDS) if self.hurry.is_set() else self._grace
        asyncio.get_running_loop().call_later(grace + GIVE_UP_SECONDS, self._over.set)
        # A thread: the event loop may hang, and at its own end it waits for every thread and every answer.
        timer = threading.Timer(grace + END_SECONDS, contextvars.copy_context().run, (self._end,))
        timer.daemon = True
        timer.start()

    def _end(self) -> None:
        self.stopped()
        os._exit(self._status)


async def _do(work: Coroutine[Any, Any, Given], *, unless: asyncio.Event) -> Given:
    """Do the work; once the event is set, cancel it, do not wait for that, and raise GivenUp."""
    working, happens = asyncio.create_task(work), asyncio.create_task(unless.wait())
    try:
        await asyncio.wait((working, happens), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise GivenUp
    finally:
        happens.cancel()
        working.cancel()
