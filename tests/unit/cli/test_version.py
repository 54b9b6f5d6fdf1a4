"""`worker --version`."""

import tomllib

from typer.testing import CliRunner

from tests.support.shop import ROOT
from worker.cli.main import app


def test_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"training-worker {project['version']}\n")


def test_help_tells_of_it_and_of_the_worker() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "Show the version" in result.output
    assert "Trains a browser model" in result.output
