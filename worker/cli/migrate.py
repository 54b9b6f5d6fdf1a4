"""`worker migrate`: create the worker's tables, or bring them up to date."""

from typing import Annotated

import structlog
import typer

from worker.database.connection_string import secrets_of
from worker.database.grants import grant
from worker.database.migrate import MIGRATIONS
from worker.database.migrate import migrate as apply_migrations
from worker.events import Event
from worker.logs import configure_logs
from worker.settings import DatabaseSettings, LogSettings, load_settings

log = structlog.get_logger()


def migrate(
    grant_to: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE",
            help="Also give this database role what a worker needs, and create it, without a password, where there is "
            "none.",
        ),
    ] = None,
) -> None:
    """Create the worker's tables, or bring them up to date; safe at any time and from many at once."""
    settings = load_settings(DatabaseSettings)
    configure_logs(load_settings(LogSettings), secrets_of(settings.database_url))
    for name in apply_migrations(settings.database_url, MIGRATIONS):
        log.info(Event.MIGRATION_APPLIED, name=name)
    log.info(Event.MIGRATIONS_CURRENT)
    if grant_to is not None:
        granted = grant(settings.database_url, grant_to)
        if granted.created:
            log.info(Event.ROLE_CREATED, role=grant_to)
        log.info(Event.RIGHTS_GRANTED, role=grant_to, statements=granted.statements)
