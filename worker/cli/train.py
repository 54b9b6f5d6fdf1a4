"""`worker train`: work on one given job, for a backend that starts a process itself."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from worker.daemon import process
from worker.logs import configure_logs
from worker.settings import LogSettings, Settings, load_settings, secrets_in


def train(
    job_id: Annotated[UUID, typer.Option(help='"Id" of a Pending job.')],
    connection_string: Annotated[
        str | None,
        typer.Option(help="Npgsql, libpq or URL; better given as DATABASE_URL, which ps does not show."),
    ] = None,
    storage_path: Annotated[Path | None, typer.Option(help="Default: STORAGE_PATH.")] = None,
    output_path: Annotated[Path | None, typer.Option(help="Default: OUTPUT_PATH.")] = None,
) -> None:
    """Work on one given job in the foreground.

    Exits 0 when it completed; 3 when it was put back or left, and can be run again; 1 when it failed, was cancelled, or
    was not begun; 2 for wrong arguments. Standard error then has one sentence that says why.
    """
    settings = load_settings(
        Settings, database_url=connection_string, storage_path=storage_path, output_path=output_path
    )
    configure_logs(load_settings(LogSettings), secrets_in(settings))
    asyncio.run(process.train(settings, job_id))
