"""The command line: its commands, and the output of errors."""

import sys
from typing import NoReturn

import psycopg
import typer
from psycopg.errors import InsufficientPrivilege

from worker.cli import jobs, models
from worker.cli.health import health
from worker.cli.migrate import migrate
from worker.cli.run import run
from worker.cli.train import train
from worker.cli.version import options
from worker.database.first_connection import DatabaseUnusable
from worker.errors import UserError
from worker.logs import shown

app = typer.Typer(
    help="Trains a browser model from a shop's product photos. Settings come from the environment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.callback()(options)
for command in (run, train, migrate, health):
    app.command()(command)
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")


def main() -> None:
    """Run the command line; print a UserError or a database error as a sentence, without a stack trace."""
    try:
        app()
    except UserError as error:
        _end(error)
    except (psycopg.OperationalError, InsufficientPrivilege) as error:
        _end(DatabaseUnusable(error))


def _end(error: UserError) -> NoReturn:
    typer.echo(shown(f"worker: {error}"), err=True)
    sys.exit(error.status)
