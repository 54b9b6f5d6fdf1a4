"""The image's health check, as the shell runs it: the same answer as `worker health`."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.shop import ROOT
from worker.daemon.health import DEAD_SECONDS, is_alive
from worker.settings import HealthSettings

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")


def check(file: Path) -> int:
    """The exit status of the line after CMD, with which Docker starts `/bin/sh -c`."""
    [line] = re.findall(r"^HEALTHCHECK .*?CMD (?!\[)(.+)$", DOCKERFILE, re.MULTILINE)
    return subprocess.run(["/bin/sh", "-c", line], env=os.environ | {"HEALTH_FILE": str(file)}).returncode


@pytest.mark.parametrize(
    ("age", "healthy"), [(0, True), (DEAD_SECONDS - 10, True), (DEAD_SECONDS + 1, False), (-3600, True)]
)
def test_a_worker_is_healthy_while_its_file_is_young(tmp_path: Path, age: float, healthy: bool) -> None:
    file = tmp_path / "the file"
    file.touch()
    touched = time.time() - age
    os.utime(file, (touched, touched))
    assert check(file) == (0 if healthy else 1)
    assert is_alive(file) == healthy


def test_a_worker_without_a_file_is_not_healthy(tmp_path: Path) -> None:
    assert check(tmp_path / "none") == 1


def test_the_image_sets_the_file_to_the_worker_s_own_default() -> None:
    default = HealthSettings.model_fields["health_file"].default
    assert re.findall(r"\bHEALTH_FILE=(\S+)", DOCKERFILE) == [str(default)]
