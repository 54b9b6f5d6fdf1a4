"""How long a worker that has found no job rests before it looks again."""

import random

from worker.queue.retry import WHILE_LOCKED


class Rest:
    """Until the next job is due or the next lease ends, at most `longest` seconds."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._seconds: float | None = None
        self._locked = 0

    def found_nothing(self, seconds: float | None) -> None:
        """Note that no job could be claimed, and that one is due or a lease ends in `seconds`; `None`: never."""
        self._seconds = seconds
        # It is due already: another session has locked its row.
        self._locked = self._locked + 1 if seconds == 0 else 0

    def seconds(self) -> float:
        """Seconds to rest; beside a locked row longer each time, up to those of `WHILE_LOCKED`."""
        if self._seconds is None:
            return self._longest
        if self._locked:
            return min(self._longest, WHILE_LOCKED.seconds(self._locked))
        # The random part spreads the workers.
        return min(self._longest, self._seconds + random.uniform(0.05, 0.25))
