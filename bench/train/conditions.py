"""The conditions of a bench: machine, versions and load."""

import os
import platform
import time

from worker.version import version_of

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy", "pillow")


def machine() -> dict[str, object]:
    """Versions, number of cores, start time and load."""
    return {
        "python": platform.python_version(),
        **{name: version_of(name) for name in PACKAGES},
        "cores": len(os.sched_getaffinity(0)),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load_before": load_average(),
    }


def load_average() -> float:
    """The load average of the last minute, which includes the bench."""
    return round(os.getloadavg()[0], 2)
