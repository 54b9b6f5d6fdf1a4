"""A wrong setting is named, with what is allowed, and nothing of it is quoted that may be a password."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from worker.errors import UserError
from worker.settings import LogSettings, Settings, load_settings, secrets_in
from worker.version import VERSION

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
        (GOOD | {"DATABASE_URL": f"host=h passwd={SECRET}"}, ["DATABASE_URL"]),
        (
            GOOD | {"BASE_WEIGHTS": "/nowhere/weights.h5"},
            ["BASE_WEIGHTS: ", "no file /nowhere/weights.h5", "imagenet"],
        ),
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


@pytest.fixture
def good(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("database_url", b"host=db password=hunter2\n"),
        ("database_url", b"\xef\xbb\xbfHost=db;Password=hunter2\r\n\r\n"),
        ("listen_url", b"postgresql://:hunter2@db"),
    ],
)
def test_a_connection_string_may_be_in_a_file(
    good: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: bytes
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(f"{name}_file".upper(), str(file))
    settings = load_settings(Settings)
    conninfo = conninfo_to_dict(getattr(settings, name))
    assert (conninfo["host"], conninfo["password"]) == ("db", "hunter2")
    assert "hunter2" in secrets_in(settings)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file or directory"),
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"host=h password=\xff", "no text in UTF-8"),
        (f"host=h passwd={SECRET}".encode(), "DATABASE_URL: "),
    ],
)
def test_a_file_that_holds_none_is_refused_by_its_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    said = refused(monkeypatch, {**GOOD, "DATABASE_URL": "", "DATABASE_URL_FILE": str(file)})
    assert says in said
    assert "DATABASE_URL" in said
    assert "hunter2" not in said


def test_a_folder_in_place_of_a_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = refused(monkeypatch, {**GOOD, "DATABASE_URL": "", "DATABASE_URL_FILE": str(tmp_path)})
    assert f"DATABASE_URL_FILE: {tmp_path} cannot be read" in said


@pytest.mark.parametrize("name", ["DATABASE_URL", "LISTEN_URL"])
def test_a_value_and_a_file_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "secret"
    file.write_text("host=b")
    said = refused(monkeypatch, {**GOOD, name: "host=a", f"{name}_FILE": str(file)})
    assert f"{name} and {name}_FILE are both set" in said


def test_a_value_on_the_command_line_is_taken_in_place_of_a_file(
    good: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL_FILE", "/nowhere")
    assert "host=given" in load_settings(Settings, database_url="host=given").database_url


def test_the_server_is_told_which_version_connects_unless_it_is_told_a_name(
    good: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = load_settings(Settings, database_url="host=h application_name=mine", listen_url="host=h")
    # libpq takes it where there is no application_name, in the connection string or in PGAPPNAME.
    assert conninfo_to_dict(own.database_url)["application_name"] == "mine"
    for conninfo in (own.database_url, own.listen_url):
        assert conninfo_to_dict(str(conninfo))["fallback_application_name"] == f"training-worker {VERSION}"


def _no_home(path: Path) -> Path:
    raise RuntimeError("Could not determine home directory.")
