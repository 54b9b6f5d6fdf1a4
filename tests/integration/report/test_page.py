"""A report.html is made wherever a worker runs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_renders_without_a_home_and_without_a_word(tmp_path: Path) -> None:
    """A home below a file can be made by nobody, not even by root."""
    program = (
        "from tests.support.made_reports import made_report; from worker.report.page import render; "
        "print(len(render(made_report(['a', 'b', '\\u5317']))))"
    )
    home = tmp_path / "file"
    home.touch()
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program],
        cwd=ROOT,
        env=environment | {"HOME": str(home / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) > 10_000
    assert done.stderr == ""
    assert "MPLCONFIGDIR" not in os.environ
