"""How much memory a training process may take, and whether it died of that."""

import resource
from collections.abc import Iterable
from pathlib import Path

CGROUP_EVENTS = Path("/sys/fs/cgroup/memory.events")
# What C++, Python and the kernel say when an allocation fails.
SIGNS = (
    "bad_alloc",
    "MemoryError",
    "Cannot allocate memory",
    "out of memory",
    "OOM when allocating",
    "can't start new thread",
    "Resource temporarily unavailable",
    "failed to map segment",
)


def limit_memory(megabytes: int) -> None:
    """Bound what this process, and each that it starts, may allocate; beyond it allocations fail.

    RLIMIT_DATA counts what is written to, not addresses that are only reserved, of which TensorFlow has many.
    """
    limit = megabytes << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def kills_by_kernel() -> int:
    """How often the kernel killed a process of this container for memory; 0 where that is not told."""
    try:
        events = dict(line.split() for line in CGROUP_EVENTS.read_text().splitlines())
    except OSError:
        return 0
    return int(events.get("oom_kill", 0))


def speaks_of_memory(last_words: Iterable[str]) -> bool:
    """Whether what a process printed before it died says that memory ran out."""
    return any(sign in line for line in last_words for sign in SIGNS)
