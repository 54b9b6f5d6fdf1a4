"""An environment variable that is nearly a setting is named, and no other."""

import pytest

from worker.settings import LogSettings, Settings, unknown_settings


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("LEASE_SECOND", "LEASE_SECONDS"),
        ("lease_secs", "LEASE_SECONDS"),
        ("POLL_INTERVAL", "POLL_SECONDS"),
        ("STORGAE_PATH", "STORAGE_PATH"),
        ("LOG_LEVELS", "LOG_LEVEL"),
    ],
)
def test_what_begins_like_a_setting_is_named_with_the_one_that_is_meant(name: str, nearest: str) -> None:
    assert unknown_settings([name, "PATH"]) == {name.upper(): nearest}


def test_settings_and_the_variables_of_others_are_not_named() -> None:
    ours = [name for kind in (Settings, LogSettings) for name in kind.model_fields]
    others = [
        "PATH",
        "HOME",
        "LOG",
        "KERAS_HOME",
        "TMPDIR",
        "DATABASE_SERVICE_HOST",
        "DATABASE_PORT_5432_TCP_ADDR",
    ]
    assert unknown_settings([*ours, *map(str.upper, ours), *others]) == {}
