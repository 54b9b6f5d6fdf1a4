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
    """Number of cores that the scheduler and the container's CPU limit (cgroup v2 or v1) allow; at least 1."""
    allowed = len(os.sched_getaffinity(0))
    limit = _limit(cgroup)
    return allowed if limit is None else max(1, min(allowed, math.ceil(limit)))


def map_on_cores(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `function(item)` in the items' order, computed by one thread per core; at most one call per core
    runs ahead of the reader."""
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
