"""`worker --version`."""

from typing import Annotated

import typer

from worker.version import VERSION


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"training-worker {VERSION}")
        raise typer.Exit


def options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """The options before a command's name; the callback of `--version` does the work."""
