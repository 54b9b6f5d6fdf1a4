"""`worker health`: whether `worker run` on this host is alive."""

from worker.daemon.health import is_alive
from worker.errors import UserError
from worker.settings import HealthSettings, load_settings


def health() -> None:
    """Exit 0 when the worker on this host is alive, for a container's health check."""
    path = load_settings(HealthSettings).health_file
    if not is_alive(path):
        raise UserError(
            f"No worker has touched {path} within the last minute: none runs, or it cannot claim jobs, as its log says "
            "(database_lost, output_incomplete, setting_unusable)."
        )
