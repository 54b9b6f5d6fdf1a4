"""`worker --version`."""

from importlib.metadata import version
from typing import Annotated

import typer


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"training-worker {version('training-worker')}")
        raise typer.Exit


def options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """What comes before the name of a command; that the version was asked for, its callback has seen."""
