"""The command line."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import psycopg
import structlog
import typer
from psycopg.errors import InsufficientPrivilege

from worker.cli.models import app as models
from worker.cli.version import options
from worker.daemon import main_loop
from worker.daemon.health import is_alive
from worker.database.connection_string import secrets_of
from worker.database.migrate import MIGRATIONS
from worker.database.migrate import migrate as apply_migrations
from worker.errors import UserError
from worker.events import Event
from worker.logs import configure_logs
from worker.settings import DatabaseSettings, HealthSettings, LogSettings, Settings, load_settings

app = typer.Typer(
    help="Trains a browser model from a shop's product photos. Settings come from the environment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.callback()(options)
app.add_typer(models, name="models")
log = structlog.get_logger()


@app.command()
def run(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Exit when no job is due.")] = False,
) -> None:
    """Work on jobs as they are inserted, until SIGTERM."""
    settings = load_settings(Settings)
    configure_logs(load_settings(LogSettings), secrets_of(settings.database_url))
    asyncio.run(main_loop.run(settings, until_idle=until_idle))


@app.command()
def train(
    job_id: Annotated[UUID, typer.Option(help='"Id" of a Pending job.')],
    connection_string: Annotated[
        str | None,
        typer.Option(help="Npgsql, libpq or URL; better given as DATABASE_URL, which ps does not show."),
    ] = None,
    storage_path: Annotated[Path | None, typer.Option(help="Default: STORAGE_PATH.")] = None,
    output_path: Annotated[Path | None, typer.Option(help="Default: OUTPUT_PATH.")] = None,
) -> None:
    """Work on one given job in the foreground; exit 0 when it completed."""
    settings = load_settings(
        Settings, database_url=connection_string, storage_path=storage_path, output_path=output_path
    )
    configure_logs(load_settings(LogSettings), secrets_of(settings.database_url))
    if not asyncio.run(main_loop.train(settings, job_id)):
        raise typer.Exit(1)


@app.command()
def migrate() -> None:
    """Create the worker's tables, or bring them up to date; safe at any time and from many at once."""
    settings = load_settings(DatabaseSettings)
    configure_logs(load_settings(LogSettings), secrets_of(settings.database_url))
    for name in apply_migrations(settings.database_url, MIGRATIONS):
        log.info(Event.MIGRATION_APPLIED, name=name)
    log.info(Event.MIGRATIONS_CURRENT)


@app.command()
def health() -> None:
    """Exit 0 when the worker on this host is alive, for a container's health check."""
    path = load_settings(HealthSettings).health_file
    if not is_alive(path):
        raise UserError(f"No worker has touched {path} within the last minute.")


def main() -> None:
    """Run the command line; a mistake of the caller is told in a sentence, without a stack trace."""
    try:
        app()
    except UserError as error:
        sys.exit(f"worker: {error}")
    except (psycopg.OperationalError, InsufficientPrivilege) as error:
        sys.exit(f"worker: the database cannot be used: {str(error).strip()}")
