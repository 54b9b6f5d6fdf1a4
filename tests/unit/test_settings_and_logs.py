"""A wrong setting is named; a password is never printed."""

import json
import os
import subprocess
import sys

import pytest

SECRET = "hunter2/seven;eleven"


def worker(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


GOOD = {"DATABASE_URL": "host=127.0.0.1 port=1", "STORAGE_PATH": "/nowhere", "OUTPUT_PATH": "/nowhere/models"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"DATABASE_URL": ""}, ["DATABASE_URL", "required"]),
        ({"LEASE_SECONDS": "1"}, ["LEASE_SECONDS", "greater than or equal to 3"]),
        ({"POLL_SECONDS": "often"}, ["POLL_SECONDS", "number"]),
        ({"LOG_LEVEL": "loud"}, ["LOG_LEVEL", "'debug', 'info', 'warning' or 'error'"]),
        ({"DATABASE_URL": f"Host=db;Pasword={SECRET}"}, ["DATABASE_URL"]),
        ({"DATABASE_URL": f"postgresql://worker:{SECRET}@db/shop"}, ["DATABASE_URL"]),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name(settings: dict[str, str], says: list[str]) -> None:
    ran = worker("run", **GOOD | settings)
    assert ran.returncode == 1
    for words in says:
        assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    for part in SECRET.replace(";", "/").split("/"):
        assert part not in ran.stderr + ran.stdout


def test_every_wrong_setting_is_named_at_once() -> None:
    ran = worker("run", LEASE_SECONDS="x", POLL_SECONDS="x")
    for name in ("DATABASE_URL", "STORAGE_PATH", "OUTPUT_PATH", "LEASE_SECONDS", "POLL_SECONDS"):
        assert name in ran.stderr


def test_a_password_is_hidden_in_every_event() -> None:
    program = """
import structlog
from worker.logs import configure_logs
from worker.settings import LogSettings
configure_logs(LogSettings(), ["s3cr3t"])
log = structlog.get_logger()
log.info("one", reason="connection with s3cr3t failed", url="postgresql://u:other@h/d", text="PWD=third; x=1")
try:
    raise ValueError("s3cr3t")
except ValueError:
    log.exception("two", words=["s3cr3t"])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for secret in ("s3cr3t", "other", "third"):
        assert secret not in ran.stdout
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert events[0]["url"] == "postgresql://u:***@h/d"
    assert "ValueError: ***" in events[1]["exception"]


def test_the_daemon_never_imports_tensorflow() -> None:
    program = """
import sys
import worker.cli.main
heavy = {"tensorflow", "keras", "numpy", "PIL"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_health_looks_at_the_file_that_a_worker_touches(tmp_path: object) -> None:
    missing = worker("health", HEALTH_FILE=f"{tmp_path}/health")
    assert missing.returncode == 1
    assert f"{tmp_path}/health" in missing.stderr
    with open(f"{tmp_path}/health", "w"):
        pass
    assert worker("health", HEALTH_FILE=f"{tmp_path}/health").returncode == 0
