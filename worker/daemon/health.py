"""The health check: a worker touches a file as long as its event loop runs and it can claim jobs.

A shell can look as well: the worker is healthy where the file is there and was modified within the last minute.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

TOUCH_SECONDS: Final = 5.0
DEAD_SECONDS: Final = 60.0
# An outage of Postgres that is over before is nobody's business but the worker's.
LOST_SECONDS: Final = 60.0


async def keep_touching(path: Path, is_ready: Callable[[], bool]) -> None:
    """Touch `path` every 5 s, for ever; remove it while the worker is not ready. Ignore errors such as a full disk."""
    while True:
        with contextlib.suppress(OSError):
            path.touch() if is_ready() else path.unlink()
        await asyncio.sleep(TOUCH_SECONDS)


def is_alive(path: Path) -> bool:
    """Whether `path` was touched within the last minute."""
    try:
        return time.time() - path.stat().st_mtime < DEAD_SECONDS
    except OSError:
        return False
