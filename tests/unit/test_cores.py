"""A container's CPU limit counts, whichever way it is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from worker.cores import usable_cores


def v2(folder: Path, text: str) -> None:
    (folder / "cpu.max").write_text(text)


def v1(folder: Path, text: str) -> None:
    quota, _, period = text.partition(" ")
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    if period:
        (folder / "cpu" / "cpu.cfs_period_us").write_text(f"{period}\n")


@pytest.mark.parametrize("write", [v2, v1])
@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("1000 100000", 1),
        ("150000 100000", 2),
        ("6400000 100000", None),
        ("-1 100000", None),
        ("0 100000", None),
        ("100000 0", None),
        ("100000", None),
        ("many 100000", None),
        ("", None),
    ],
)
def test_a_containers_cpu_limit_counts(
    write: Callable[[Path, str], None], limit: str, cores: int | None, tmp_path: Path
) -> None:
    """`None` stands for no limit: as many as the scheduler allows."""
    allowed = usable_cores(tmp_path / "nowhere")
    assert allowed >= 1
    write(tmp_path, limit)
    assert usable_cores(tmp_path) == min(allowed, cores or allowed)


def test_no_limit_and_files_that_are_none_count_as_no_limit(tmp_path: Path) -> None:
    allowed = usable_cores(tmp_path)
    v2(tmp_path, "max 100000\n")
    assert usable_cores(tmp_path) == allowed
    (tmp_path / "cpu.max").write_bytes(b"\xff\xfe\0")
    assert usable_cores(tmp_path) == allowed
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu.max").mkdir()
    assert usable_cores(tmp_path) == allowed
    v1(tmp_path, "1000 100000")
    assert usable_cores(tmp_path) == 1
