"""The cores that this process may use: those of its container, not the host's."""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

CGROUP = Path("/sys/fs/cgroup")

Item = TypeVar("Item")
Result = TypeVar("Result")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """At least 1. Counts what the scheduler allows, and the CPU limit of a container (cgroup v2 or v1)."""
    allowed = len(os.sched_getaffinity(0))
    limit = _limit(cgroup)
    return allowed if limit is None else max(1, min(allowed, math.ceil(limit)))


def map_on_cores(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of `function` in the items' order, by a thread a core; no more than those are ahead of the reader."""
    cores = usable_cores()
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(cores, thread_name_prefix="map") as threads:
        for item in items:
            pending.append(threads.submit(function, item))
            if len(pending) > cores:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _limit(cgroup: Path) -> float | None:
    for file in (cgroup / "cpu.max", cgroup / "cpu" / "cpu.cfs_quota_us"):
        try:
            quota, *rest = file.read_text().split()
            period = rest[0] if rest else file.with_name("cpu.cfs_period_us").read_text()
            return int(quota) / int(period) if quota != "max" and int(quota) > 0 else None
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return None
