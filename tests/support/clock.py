"""A clock that a test controls."""


class Clock:
    """Returns `now`, which only a test changes."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
