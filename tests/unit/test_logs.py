"""A password is in no line of the log."""

import json
from collections.abc import Iterator

import pytest
import structlog

from worker.logs import configure_logs
from worker.settings import LogSettings


@pytest.fixture
def logs() -> Iterator[None]:
    """Logs like a worker's, to what is standard output at this moment."""
    configure_logs(LogSettings(log_level="info", log_format="json"), ["s3cr3t"])
    yield
    structlog.reset_defaults()


def test_a_password_is_hidden_in_every_event(logs: None, capsys: pytest.CaptureFixture[str]) -> None:
    log = structlog.get_logger()
    log.info(
        "one", reason="connection with s3cr3t failed", url="postgresql://u:other@h/d", text="PWD=third; x=1"
    )
    try:
        raise ValueError("s3cr3t")
    except ValueError:
        log.exception("two", words=["s3cr3t"])
    said = capsys.readouterr().out
    for secret in ("s3cr3t", "other", "third"):
        assert secret not in said
    events = [json.loads(line) for line in said.splitlines()]
    assert events[0]["url"] == "postgresql://u:***@h/d"
    assert "ValueError: ***" in events[1]["exception"]


def test_a_file_name_that_is_no_text_can_be_logged(
    logs: None, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    structlog.get_logger().info("one", photo="b\udcffd.jpg")
    assert json.loads(capsysbinary.readouterr().out)["photo"] == "b\\udcffd.jpg"
