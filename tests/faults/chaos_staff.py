"""The workers of a chaos run: they are killed, suspended for longer than their lease, and replaced."""

import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.chaos_upgrade import RollingUpgrade
from tests.faults.workers import Worker, Workers
from tests.support.shop import ROOT
from worker.events import Event

LEASE_SECONDS = 3.0
FREEZE_SECONDS = LEASE_SECONDS + 1
# Of the workers, those whose jobs have photos, most of them bad.
PHOTOS_EVERY = 3


@dataclass
class Staff:
    """`crew` workers at a time; `losses` tells of those that ended by themselves."""

    crew: int
    workers: Workers
    upgrade: RollingUpgrade
    photos: Path
    killed: dict[Path, datetime] = field(default_factory=dict)
    times_frozen: int = 0
    losses: list[str] = field(default_factory=list)
    _present: list[Worker] = field(default_factory=list)
    _frozen: list[tuple[float, Worker]] = field(default_factory=list)

    def fill(self) -> None:
        """Start as many workers as are missing."""
        self._look_after()
        while len(self._present) < self.crew:
            settings = {"POLL_SECONDS": "0.5", "RETRY_SECONDS": "0", "LEASE_SECONDS": str(LEASE_SECONDS)}
            stub = {"STUB_SECONDS": f"{random.uniform(0.1, 0.5):.2f}"}
            self.workers.code = self.upgrade.next_code()
            if len(self.workers.started) % PHOTOS_EVERY == 0 and self.workers.code == ROOT:
                stub["STUB_PHOTOS"] = str(self.photos)
            self._present.append(self.workers.start(**settings | stub))

    def kill_one(self) -> None:
        worker = self._present.pop(random.randrange(len(self._present)))
        worker.signal(signal.SIGKILL)
        self.killed[worker.log] = datetime.now(UTC)
        worker.process.wait()

    def freeze_one(self) -> None:
        """Suspend a worker; `thaw` wakes it up."""
        worker = random.choice(self._present)
        worker.signal(signal.SIGSTOP)
        self._frozen.append((time.monotonic() + FREEZE_SECONDS, worker))
        self.times_frozen += 1

    def thaw(self, now: float) -> None:
        """Wake up those that have been suspended for long enough by `now`, a time of time.monotonic()."""
        for until, worker in self._frozen:
            if until <= now:
                worker.signal(signal.SIGCONT)
        self._frozen = [(until, worker) for until, worker in self._frozen if until > now]

    def leave(self) -> None:
        """Have all stop, and a last one remove orphans."""
        self._look_after()
        for worker in self._present:
            # Before that, the signal ends it as it ends any program.
            worker.saw(Event.WORKER_STARTED)
            worker.signal(signal.SIGTERM)
        self._see_off(*self._present)
        self.workers.code = ROOT
        self._see_off(self.workers.start("run", "--until-idle"))

    def died(self, events: Sequence[Sequence[dict[str, Any]]]) -> dict[str, datetime]:
        """When each worker was killed, by its id, which is in its events."""
        logs = zip(self.workers.started, events, strict=True)
        return {
            logged[0]["worker"]: self.killed[worker.log]
            for worker, logged in logs
            if logged and worker.log in self.killed
        }

    def _look_after(self) -> None:
        for worker in [worker for worker in self._present if worker.process.poll() is not None]:
            self._present.remove(worker)
            self.losses.append(f"the worker of {worker.log} ended by itself: {worker.process.returncode}")

    def _see_off(self, *workers: Worker) -> None:
        for worker in workers:
            if (code := worker.ended()) != 0:
                self.losses.append(f"the worker of {worker.log} ended with {code}")
