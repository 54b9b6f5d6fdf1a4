"""How many cores this process may use: those of its container, not the host's."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """At least 1. Counts what the scheduler allows, and the CPU limit of a container (cgroup v2 or v1)."""
    allowed = len(os.sched_getaffinity(0))
    limit = _limit(cgroup)
    return allowed if limit is None else max(1, min(allowed, math.ceil(limit)))


def _limit(cgroup: Path) -> float | None:
    for file in (cgroup / "cpu.max", cgroup / "cpu" / "cpu.cfs_quota_us"):
        try:
            quota, *rest = file.read_text().split()
            period = rest[0] if rest else file.with_name("cpu.cfs_period_us").read_text()
            return int(quota) / int(period) if quota != "max" and int(quota) > 0 else None
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return None
