"""Measures the memory of the training processes, and detects whether one died because memory ran out.

RLIMIT_DATA and RLIMIT_AS do not help: they count the memory that TensorFlow reserves, several times what it
uses, and TensorFlow crashes on a failed allocation. Instead, the daemon polls the used memory; a cgroup's
own limit, where there is one, is the second protection.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

CGROUP_EVENTS = Path("/sys/fs/cgroup/memory.events")
# Parts of the messages of C++, Python and TensorFlow for a failed allocation.
SIGNS = ("bad_alloc", "MemoryError", "Cannot allocate memory", "OOM when allocating")


def be_killed_first() -> None:
    """When memory runs out, have the kernel kill this process and not the daemon, which can report it."""
    Path("/proc/self/oom_score_adj").write_text("1000")


def held_bytes(pid: int) -> int:
    """Anonymous and shared memory of a process and all its descendants, in bytes; 0 if it has ended."""
    return sum(_own_kilobytes(process) for process in _family(pid)) * 1024


def kills_by_kernel() -> int:
    """Number of processes of this container that the kernel has killed for memory; 0 where that is unknown."""
    try:
        events = dict(line.split() for line in CGROUP_EVENTS.read_text().splitlines())
    except OSError:
        return 0
    return int(events.get("oom_kill", 0))


def speaks_of_memory(stderr_tail: Iterable[str]) -> bool:
    """Whether the last lines of a process's standard error report that memory ran out."""
    return any(sign in line for line in stderr_tail for sign in SIGNS)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            listed = children.read_text().split()
        except OSError:
            continue
        for child in listed:
            yield from _family(int(child))


def _own_kilobytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
