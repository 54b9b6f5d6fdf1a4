"""`worker train`: work on one given job, for a backend that starts a process itself."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from worker.daemon import main_loop
from worker.database.connection_string import secrets_of
from worker.logs import configure_logs
from worker.settings import LogSettings, Settings, load_settings


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
