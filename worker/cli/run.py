"""`worker run`: work on jobs as they are inserted."""

import asyncio
from typing import Annotated

import typer

from worker.daemon import process
from worker.logs import configure_logs
from worker.settings import LogSettings, Settings, load_settings, secrets_in


def run(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Exit when no job is due.")] = False,
) -> None:
    """Work on jobs as they are inserted, until SIGTERM."""
    settings = load_settings(Settings)
    configure_logs(load_settings(LogSettings), secrets_in(settings))
    asyncio.run(process.run(settings, until_idle=until_idle))
