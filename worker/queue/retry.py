"""How long to wait before something is tried again: one policy for jobs, connections and statements."""

import random
from dataclasses import dataclass
from typing import Final

# 2 to a higher power is beyond what a float holds, and far beyond every `longest`.
MAX_EXPONENT: Final = 60


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with jitter: `first` and `longest` are seconds."""

    first: float
    longest: float

    def seconds(self, failures: int) -> float:
        """The wait after so many failures in a row, from 1 on: doubled each time, less up to half at random.

        The random part keeps those that failed at the same moment from coming back at the same moment.
        """
        exponent = min(max(failures, 1) - 1, MAX_EXPONENT)
        return min(self.first * 2.0**exponent, self.longest) * random.uniform(0.5, 1.0)


RECONNECT: Final = Backoff(first=0.5, longest=5.0)
"""While Postgres is away and no job is held."""

HOLD: Final = Backoff(first=0.4, longest=1.0)
"""While Postgres is away and a lease runs out meanwhile."""

LONGEST_JOB_DELAY: Final = 600.0


def job_backoff(retry_seconds: float) -> Backoff:
    """Between the attempts at a job."""
    return Backoff(first=retry_seconds, longest=LONGEST_JOB_DELAY)
