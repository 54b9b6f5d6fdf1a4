"""A wrong setting is named, with what is allowed, and nothing of it is quoted that may be a password."""

from pathlib import Path

import pytest

from worker.errors import UserError
from worker.settings import LogSettings, Settings, load_settings

SECRET = "hunter2/seven;eleven"
GOOD = {"DATABASE_URL": "host=127.0.0.1 port=1", "STORAGE_PATH": "/nowhere", "OUTPUT_PATH": "/nowhere/models"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment of the tests has."""
    for name in (*Settings.model_fields, *LogSettings.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)


def refused(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> str:
    """What is said of these settings."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as raised:
        load_settings(LogSettings if settings.keys() <= {"LOG_LEVEL"} else Settings)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return str(raised.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (GOOD | {"DATABASE_URL": ""}, ["DATABASE_URL", "required"]),
        (GOOD | {"LEASE_SECONDS": "1"}, ["LEASE_SECONDS", "greater than or equal to 3"]),
        (GOOD | {"POLL_SECONDS": "often"}, ["POLL_SECONDS", "number"]),
        (GOOD | {"PHOTO_PATH": "../{FileName}"}, ["PHOTO_PATH", "“..” is no name of a folder"]),
        (
            GOOD | {"PHOTO_PATH": "{Name}/{FileName}"},
            ["PHOTO_PATH", "no column {Name}: it may have {ProductId}"],
        ),
        (GOOD | {"KEEP_MODELS": "0"}, ["KEEP_MODELS", "greater than or equal to 1"]),
        (GOOD | {"JOB_RETENTION_DAYS": "0"}, ["JOB_RETENTION_DAYS", "greater than 0"]),
        ({"LOG_LEVEL": "loud"}, ["LOG_LEVEL", "'debug', 'info', 'warning' or 'error'"]),
        (GOOD | {"DATABASE_URL": f"Host=db;Pasword={SECRET}"}, ["DATABASE_URL"]),
        (GOOD | {"DATABASE_URL": f"postgresql://worker:{SECRET}@db/shop"}, ["DATABASE_URL"]),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], says: list[str]
) -> None:
    said = refused(monkeypatch, settings)
    for words in says:
        assert words in said
    for part in SECRET.replace(";", "/").split("/"):
        assert part not in said


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(monkeypatch, {"LEASE_SECONDS": "x", "POLL_SECONDS": "x"})
    for name in ("DATABASE_URL", "STORAGE_PATH", "OUTPUT_PATH", "LEASE_SECONDS", "POLL_SECONDS"):
        assert name in said


def test_good_settings_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    assert load_settings(Settings).output_path.name == "models"


def test_without_a_home_a_path_in_it_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.expanduser", _no_home)
    with pytest.raises(UserError, match=r"CACHE_PATH: .*no home folder"):
        load_settings(
            Settings,
            database_url="host=localhost",
            storage_path=Path("/nowhere"),
            output_path=Path("/nowhere"),
        )


def _no_home(path: Path) -> Path:
    raise RuntimeError("Could not determine home directory.")
