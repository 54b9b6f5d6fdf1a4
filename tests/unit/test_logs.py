"""What is in the log: no password in any free text, no character that steers a terminal, and every name as it is."""

import json
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
import structlog

from worker.events import Event
from worker.logs import LONGEST, configure_logs, shown
from worker.settings import LogSettings

Configure = Callable[..., None]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Has logs like a worker's, to what is standard output at this moment."""

    def configure(*secrets: str, log_format: Literal["json", "console"] = "json") -> None:
        configure_logs(LogSettings(log_level="info", log_format=log_format), secrets)

    yield configure
    configure_logs(LogSettings(log_level="info", log_format="json"), [])
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_password_is_hidden_in_every_event(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("s3cr3t")
    log = structlog.get_logger()
    log.info(
        "one", reason="connection with s3cr3t failed", url="postgresql://u:other@h/d", text="PWD=third; x=1"
    )
    log.info(
        "one",
        reason="host=h passwd=fourth",
        url="postgres+x://u:fi@fth@h/d",
        text='{"DbPassword": "si\\"xth"}',
    )
    try:
        raise ValueError("s3cr3t")
    except ValueError:
        log.exception("two", words=["s3cr3t"])
    said = capsys.readouterr().out
    for secret in ("s3cr3t", "other", "third", "fourth", "fth", "xth"):
        assert secret not in said
    events = [json.loads(line) for line in said.splitlines()]
    assert events[0]["url"] == "postgresql://u:***@h/d"
    assert "ValueError: ***" in events[2]["exception"]


def test_names_ids_and_paths_are_not_taken_for_a_password(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("worker", "info", "2026", "1", "quick")
    names = {
        "worker": "worker-1:7:ab",
        "job_id": "1",
        "version": "v1_2026",
        "output_path": "/srv/worker/models",
    }
    structlog.get_logger().info(Event.WORKER_STARTED, attempt=1, reason="worker 1 of 2026", **names)
    [event] = logged(capsys)
    assert names.items() <= event.items()
    assert (event["event"], event["level"], event["attempt"]) == ("worker_started", "info", 1)
    assert "*" not in str(event["timestamp"])
    assert event["reason"] == "*** *** of ***"


def test_the_password_of_the_environment_is_hidden_too(
    configure: Configure, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    configure()
    structlog.get_logger().info("one", reason="no hunter2")
    assert [event["reason"] for event in logged(capsys)] == ["no ***"]


def test_options_are_cut_but_never_in_the_midst_of_a_password(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("hunter2")
    longest = LONGEST["options"]
    structlog.get_logger().info("one", options="x" * (longest - 3) + "hunter2" + "y" * longest)
    [event] = logged(capsys)
    assert event["options"] == "x" * (longest - 3) + "***" + "…"


def test_a_file_name_that_is_no_text_can_be_logged(
    configure: Configure, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    configure()
    structlog.get_logger().info("one", photo="b\udcffd.jpg", path="b\udcffd", names={"a\udcff": "b"})
    event = json.loads(capsysbinary.readouterr().out)
    assert (event["photo"], event["path"]) == ("b\\udcffd.jpg", "b\\udcffd")


STEERING = "a\x1b[2Jb\x07c\u202ed\x9be\nforged"


def test_json_lines_escape_what_steers_a_terminal_and_mean_the_same(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure()
    structlog.get_logger().info("one", reason=STEERING, paths=[STEERING])
    [line] = capsys.readouterr().out.splitlines()
    assert line.isprintable()
    assert (json.loads(line)["reason"], json.loads(line)["paths"]) == (STEERING, [STEERING])


def test_the_console_escapes_it_and_no_line_can_be_forged(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(log_format="console")
    log = structlog.get_logger()
    log.info("one", reason=STEERING, paths=[STEERING])
    try:
        raise ValueError(STEERING)
    except ValueError:
        log.exception("two")
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isprintable() for line in lines)
    assert r"reason=a\x1b[2Jb\x07c\u202ed\x9be\nforged" in lines[0]
    # Those of the stack trace are indented.
    assert [line for line in lines if not line.startswith("    ")] == lines[:2]


def test_the_sentence_at_the_end_is_shown_like_the_log(configure: Configure) -> None:
    configure("hunter2")
    assert shown("worker: hunter2\x1b[2J\n  password=other") == "worker: ***\\x1b[2J\n  password=***"
