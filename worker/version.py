"""The worker's own version, which decides beside which schema of the database it may run."""

from importlib.metadata import version

VERSION = version("training-worker")


def numbers(text: str) -> tuple[int, ...]:
    """The first three numbers of a version, to compare two: (0, 2, 0) of "0.2.0"."""
    return tuple(int(number) for number in text.split(".")[:3])
