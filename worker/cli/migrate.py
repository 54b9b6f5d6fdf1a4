"""`worker migrate`: create the worker's tables, or bring them up to date."""

import structlog

from worker.database.connection_string import secrets_of
from worker.database.migrate import MIGRATIONS
from worker.database.migrate import migrate as apply_migrations
from worker.events import Event
from worker.logs import configure_logs
from worker.settings import DatabaseSettings, LogSettings, load_settings

log = structlog.get_logger()


def migrate() -> None:
    """Create the worker's tables, or bring them up to date; safe at any time and from many at once."""
    settings = load_settings(DatabaseSettings)
    configure_logs(load_settings(LogSettings), secrets_of(settings.database_url))
    for name in apply_migrations(settings.database_url, MIGRATIONS):
        log.info(Event.MIGRATION_APPLIED, name=name)
    log.info(Event.MIGRATIONS_CURRENT)
