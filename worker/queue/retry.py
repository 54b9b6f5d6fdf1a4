"""The delay before a retry: one policy for jobs, connections and statements."""

import random
from dataclasses import dataclass
from typing import Final

# Keeps 2.0**exponent within the range of a float; far beyond every `longest`.
MAX_EXPONENT: Final = 60


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with jitter: `first` and `longest` are seconds."""

    first: float
    longest: float

    def seconds(self, failures: int) -> float:
        """Delay after `failures` failures in a row (at least 1): doubled each time, minus a random part up to half.

        The random part spreads the retries of workers that failed at the same moment.
        """
        exponent = min(max(failures, 1) - 1, MAX_EXPONENT)
        return min(self.first * 2.0**exponent, self.longest) * random.uniform(0.5, 1.0)


RECONNECT: Final = Backoff(first=0.5, longest=5.0)
"""While Postgres is unavailable and the worker holds no job."""

HOLD: Final = Backoff(first=0.4, longest=1.0)
"""While Postgres is unavailable and the lease of a held job runs."""

WHILE_LOCKED: Final = Backoff(first=0.1, longest=2.0)
"""While another session holds a lock; at its end, nobody tells the worker."""

LONGEST_JOB_DELAY: Final = 600.0


def job_backoff(retry_seconds: float) -> Backoff:
    """The backoff between the attempts at a job."""
    return Backoff(first=retry_seconds, longest=LONGEST_JOB_DELAY)
