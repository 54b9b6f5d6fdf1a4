"""Versions: the worker's own, which decides beside which schema of the database it may run, and its libraries'."""

from importlib.metadata import PackageNotFoundError, version

VERSION = version("training-worker")


def numbers(text: str) -> tuple[int, ...]:
    """The first three numbers of a version, to compare two: (0, 2, 0) of "0.2.0"."""
    return tuple(int(number) for number in text.split(".")[:3])


def version_of(library: str) -> str:
    """The version of an installed library. Raises PackageNotFoundError."""
    try:
        return version(library)
    except PackageNotFoundError:
        # TensorFlow without a GPU's kernels is a package of its own.
        return version(f"{library}-cpu")
