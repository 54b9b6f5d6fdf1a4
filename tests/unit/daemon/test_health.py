"""A worker is alive as long as it touches its file."""

import os
import time
from pathlib import Path

from worker.daemon.health import DEAD_SECONDS, is_alive


def test_health_looks_at_the_file_that_a_worker_touches(tmp_path: Path) -> None:
    file = tmp_path / "health"
    assert not is_alive(file)
    file.touch()
    assert is_alive(file)
    then = time.time() - DEAD_SECONDS - 1
    os.utime(file, (then, then))
    assert not is_alive(file)
