"""The command line as a process: how it ends, what it says, and what it does not import."""

import os
import subprocess
import sys
from pathlib import Path


def worker(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_setting_stops_the_start_with_a_sentence() -> None:
    ran = worker("run", LEASE_SECONDS="x")
    assert ran.returncode == 1
    assert "LEASE_SECONDS" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_daemon_never_imports_tensorflow() -> None:
    program = """
import sys
import worker.cli.main
heavy = {"tensorflow", "keras", "numpy", "PIL"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_worker_that_is_not_alive_is_told_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "health"
    missing = worker("health", HEALTH_FILE=str(file))
    assert missing.returncode == 1
    assert str(file) in missing.stderr
    file.touch()
    assert worker("health", HEALTH_FILE=str(file)).returncode == 0
