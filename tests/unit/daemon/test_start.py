"""What is wrong with the settings is said at the start."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from worker.daemon.start import look_at
from worker.errors import UserError
from worker.events import Event
from worker.settings import Settings, load_settings


def settings(tmp_path: Path, **given: Path) -> Settings:
    (tmp_path / "storage" / "products" / "1").mkdir(parents=True)
    usual = {"storage_path": "storage", "output_path": "models", "health_file": "health"}
    paths = {name: tmp_path / value for name, value in usual.items()}
    return load_settings(Settings, database_url="host=h", **(paths | given))


async def faults(settings: Settings) -> dict[str, str]:
    with capture_logs() as logs:
        await look_at(settings)
    assert all(log["log_level"] == "warning" for log in logs)
    return {log["setting"]: log["reason"] for log in logs if log["event"] == Event.SETTING_UNUSABLE}


async def test_nothing_is_said_where_all_is_well(tmp_path: Path) -> None:
    assert await faults(settings(tmp_path)) == {}
    (tmp_path / "health").touch()
    (tmp_path / "models").mkdir()
    assert await faults(load_settings(Settings, **settings_of(tmp_path))) == {}


def settings_of(tmp_path: Path) -> dict[str, object]:
    names = ("storage", "models", "health")
    storage, models, health = (tmp_path / name for name in names)
    return {"database_url": "host=h", "storage_path": storage, "output_path": models, "health_file": health}


async def test_a_storage_that_is_missing_or_empty_is_warned_of(tmp_path: Path) -> None:
    said = await faults(settings(tmp_path, storage_path=tmp_path / "nowhere"))
    assert f"there is no folder {tmp_path / 'nowhere'}" in said["STORAGE_PATH"]
    assert "tried again" in said["STORAGE_PATH"]


@pytest.mark.parametrize(
    ("health_file", "says"), [("nowhere/health", "there is no folder"), ("storage", "is a folder")]
)
async def test_a_health_file_that_cannot_be_written_is_warned_of(
    tmp_path: Path, health_file: str, says: str
) -> None:
    said = await faults(settings(tmp_path, health_file=tmp_path / health_file))
    assert says in said["HEALTH_FILE"]
    assert "worker health" in said["HEALTH_FILE"]


async def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match=rf"OUTPUT_PATH {file} is a file"):
        await look_at(settings(tmp_path, output_path=file))
