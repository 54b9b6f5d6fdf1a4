"""An outage of Postgres: logged with its cause when it begins, every minute while it lasts, and when it is over."""

import time
from typing import Final

import structlog

from worker.events import Event

AGAIN_SECONDS: Final = 60.0

log = structlog.get_logger()


class Outage:
    """Whether Postgres is lost, and for how long."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._said = 0.0

    @property
    def seconds(self) -> float:
        """Since the first of the failures in a row; 0 where the last transaction succeeded."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def goes_on(self, cause: str) -> None:
        """Say so, unless it was said within the last minute."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._said < AGAIN_SECONDS:
            return
        self._said = now
        log.warning(Event.DATABASE_LOST, reason=cause, seconds=round(self.seconds))

    def is_over(self) -> None:
        """Say so, if there was one."""
        if self._since is not None:
            log.info(Event.DATABASE_BACK, seconds=round(self.seconds))
            self._since = None
