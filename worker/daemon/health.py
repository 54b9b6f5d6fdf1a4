"""The health check: a worker touches a file as long as its event loop runs and it can claim jobs."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

TOUCH_SECONDS = 5.0
DEAD_SECONDS = 60.0


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
    except FileNotFoundError:
        return False
