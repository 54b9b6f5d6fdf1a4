"""How much memory a training's processes hold, and whether one died for lack of it.

RLIMIT_DATA and RLIMIT_AS are no use here: they count what TensorFlow reserves, which is several times what it
touches, and TensorFlow answers a failed allocation with a crash. So memory is looked at, and a cgroup's own
limit, where there is one, is the net below.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

CGROUP_EVENTS = Path("/sys/fs/cgroup/memory.events")
# What C++, Python and TensorFlow say when an allocation fails.
SIGNS = ("bad_alloc", "MemoryError", "Cannot allocate memory", "OOM when allocating")


def be_killed_first() -> None:
    """When memory runs out, have the kernel kill this process and not the daemon that can tell of it."""
    Path("/proc/self/oom_score_adj").write_text("1000")


def held_bytes(pid: int) -> int:
    """What a process and all that it started hold in memory of their own; 0 for one that is gone."""
    return sum(_own_kilobytes(process) for process in _family(pid)) * 1024


def kills_by_kernel() -> int:
    """How often the kernel killed a process of this container for memory; 0 where that is not told."""
    try:
        events = dict(line.split() for line in CGROUP_EVENTS.read_text().splitlines())
    except OSError:
        return 0
    return int(events.get("oom_kill", 0))


def speaks_of_memory(stderr_tail: Iterable[str]) -> bool:
    """Whether what a process printed before it died says that memory ran out."""
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
