"""What the processes that decode photos may take: how many there are, their memory, and the time for a photo."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.cores import usable_cores

SHARE: Final = 0.6
"""The processes' share of the memory of a training; the training process itself has the rest."""

RESTING: Final = 96 << 20
"""Bytes that a process may take beside what it is granted for a photo: a usual file, its header, kept heap."""

STARTED: Final = 24 << 20
"""Bytes that a process holds once it has started."""

MOST_MEMORY: Final = 1 << 30
"""Bytes for the photos in decoding, together; one photo may take all of it."""

LEAST_MEMORY: Final = 128 << 20
"""The same, where a training has very little memory."""

SMALL: Final = 32 << 20
"""Bytes that a photo is granted before its header is read. Nearly every one needs no more."""

CPU_SECONDS: Final = 20.0
"""For one photo. The slowest that pass all limits, of 200 megapixels, take 2 to 5 seconds."""

IDLE_SECONDS: Final = 30.0
"""For which a process with a photo may sleep without any use of a CPU."""

CGROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class DecodingLimits:
    """The number of processes, the bytes of memory for all photos in decoding, and the seconds for one photo."""

    processes: int
    memory: int = MOST_MEMORY
    cpu_seconds: float = CPU_SECONDS
    idle_seconds: float = IDLE_SECONDS


def decoding_limits(memory_mb: int | None, cores: int | None = None, cgroup: Path = CGROUP) -> DecodingLimits:
    """The limits for a training that may hold `memory_mb`, CHILD_MEMORY_MB; unless set, the container or machine's.

    Processes and photos take at most SHARE of it. There are as many processes as `cores`, fewer where memory is short.
    """
    memory = int(SHARE * (memory_mb << 20 if memory_mb else _machine_bytes(cgroup)))
    most = max(1, memory // 2 // (STARTED + RESTING))
    processes = min(cores or usable_cores(), most)
    left = memory - processes * (STARTED + RESTING)
    return DecodingLimits(processes, max(LEAST_MEMORY, min(MOST_MEMORY, left)))


def _machine_bytes(cgroup: Path) -> int:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        try:
            limit = file.read_text().strip()
        except OSError:
            continue
        return min(machine, int(limit)) if limit.isdigit() else machine
    return machine
