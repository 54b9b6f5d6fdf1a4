"""Starts workers for a test, reads their logs, and kills them at the test's end."""

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.shop import ROOT, Shop
from tests.support.waiting import living, wait_until
from worker.events import Event

# For a test that waits for the end of a lease; a shorter one could be lost on a busy machine.
SHORT_LEASE = "6"


@dataclass(frozen=True)
class Worker:
    """A worker process and its log."""

    process: "subprocess.Popen[str]"
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """Every event so far; any other line, such as a stack trace, fails the test."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        try:
            return [json.loads(line) for line in whole.splitlines()]
        except ValueError:
            raise AssertionError(f"the log has lines that are no events:\n{whole}") from None

    def names(self) -> list[str]:
        return [event["event"] for event in self.events()]

    def saw(self, event: Event, **fields: object) -> dict[str, Any]:
        """Wait until the log has this event with these fields, and return it."""

        def look() -> dict[str, Any] | None:
            dead = self.process.poll() is not None
            for logged in self.events():
                if logged["event"] == event and fields.items() <= logged.items():
                    return logged
            assert not dead, f"it ended before {event} {fields}:\n{self.log.read_text()}"
            return None

        return wait_until(look, f"{event} {fields} in the log {self.log}")

    def child(self) -> int:
        """The process group of its latest training child."""
        self.saw(Event.CHILD_STARTED)
        group: int = [event["child_pid"] for event in self.events() if "child_pid" in event][-1]
        return group

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end, and return its exit status."""
        wait_until(lambda: self.process.poll() is not None, f"the end of the worker of {self.log}")
        return self.process.returncode

    def childless(self) -> None:
        """Wait until all its training children have ended."""
        for group in [event["child_pid"] for event in self.events() if "child_pid" in event]:
            wait_until(lambda group=group: not living(group), f"the end of the child {group}")  # type: ignore[misc]

    def kill(self) -> None:
        """Kill the worker and its remaining children with SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        whole, _, _ = self.log.read_text().rpartition("\n")
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, KeyError, ProcessLookupError):
                group = json.loads(line)["child_pid"]
                if living(group):
                    os.killpg(group, signal.SIGKILL)


@dataclass
class Workers:
    """Starts workers that run a stub instead of a training child; `code` is the folder of the next one's sources."""

    shop: Shop
    folder: Path
    started: list[Worker] = field(default_factory=list)
    code: Path = ROOT

    def start(self, *arguments: str, **settings: str) -> Worker:
        log = self.folder / f"worker-{len(self.started) + 1}.log"
        log.touch()
        usual = {"RETRY_SECONDS": "0.1", "HEALTH_FILE": str(log.with_suffix(".health"))}
        process = replace(self.shop, code=self.code).worker(
            *(arguments or ("run",)),
            module="tests.faults.worker",
            log_file=str(log),
            **(usual | settings),
        )
        self.started.append(Worker(process, log))
        return self.started[-1]

    def run_until_idle(self, **settings: str) -> Worker:
        """Start a worker with `--until-idle`, and wait until it exits with 0."""
        worker = self.start("run", "--until-idle", **settings)
        assert worker.ended() == 0, worker.log.read_text()
        return worker

    def end(self) -> None:
        for worker in self.started:
            worker.kill()
