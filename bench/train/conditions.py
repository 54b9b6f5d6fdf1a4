"""What a bench ran on."""

import os
import platform
import time
from importlib.metadata import version

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy", "pillow")


def machine() -> dict[str, object]:
    """Versions, cores, and when it started under which load."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "cores": len(os.sched_getaffinity(0)),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load_before": load_average(),
    }


def load_average() -> float:
    """How many processes wanted a core within the last minute, the bench's own among them."""
    return round(os.getloadavg()[0], 2)
