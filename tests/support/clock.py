"""A clock in a test's hands."""


class Clock:
    """Stands still unless a test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
