"""What is wrong with the settings, said at the start of a worker, before a job meets it."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import structlog

from worker.catalogue.storage import fault_of
from worker.errors import UserError
from worker.events import Event
from worker.job.photo_path import PhotoPath
from worker.settings import Settings, unknown_settings

log = structlog.get_logger()


async def look_at(settings: Settings) -> None:
    """Warn of what may be mended while the worker waits; raise UserError for what never can be."""
    if unknown := unknown_settings(os.environ):
        log.warning(Event.SETTINGS_UNKNOWN, did_you_mean=unknown)
    # In a thread, because a network's file system may keep it waiting.
    for name, reason in await asyncio.to_thread(lambda: list(_faults(settings))):
        log.warning(Event.SETTING_UNUSABLE, setting=name, reason=reason)
    models = settings.output_path.absolute()
    if os.path.exists(models) and not os.path.isdir(models):
        raise UserError(f"OUTPUT_PATH {models} is a file: give the folder called models. No job was claimed.")


def _faults(settings: Settings) -> Iterator[tuple[str, str]]:
    if fault := fault_of(settings.storage_path.absolute(), PhotoPath(settings.photo_path).folder):
        yield "STORAGE_PATH", f"{fault}: jobs are tried again until the backend's photos are there"
    if fault := _fault_of_file(settings.health_file.absolute()):
        yield "HEALTH_FILE", f"{fault}: `worker health` will say that no worker is alive"


def _fault_of_file(path: Path) -> str:
    """Why a worker cannot create and remove this file, or ""."""
    if path.is_dir():
        return f"{path} is a folder"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    writable = os.access(path.parent, os.W_OK | os.X_OK) and (not path.exists() or os.access(path, os.W_OK))
    return "" if writable else f"{path} cannot be written"
