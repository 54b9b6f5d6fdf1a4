"""Chaos test: kills a worker every second, restarts Postgres thrice, beside a backend that writes odd and stale rows
and holds locks, with an upgrade in the middle, and checks that no job is lost or done twice.

`python -m tests.faults.chaos --minutes 10 --jobs 1000 --workers 8` prints a table, and exits with 1 at any loss.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.embedded_postgres import EmbeddedPostgres
from tests.faults.chaos_audit import Audit
from tests.faults.chaos_backend import UnhelpfulBackend
from tests.faults.chaos_fail_over import fail_over
from tests.faults.chaos_history import history, longest_return, remember
from tests.faults.chaos_locks import SessionsInTheWay
from tests.faults.chaos_operator import UnhelpfulOperator
from tests.faults.chaos_staff import Staff
from tests.faults.chaos_upgrade import RollingUpgrade
from tests.faults.earlier import unpack
from tests.faults.stub_photos import lay_out
from tests.faults.workers import Workers
from tests.support.shop import Shop
from worker.events import Event

# A worker is killed at most once a second, and where the machine is busy only when a job has completed since, or the
# workers would do nothing but start.
KILL_SECONDS, LONGEST_ROUND = 1.0, 15.0
# In every fifth round, a worker is suspended for longer than its lease.
FREEZE_EVERY = 5
OPERATE_EVERY, LOCK_EVERY = 3, 4
DRAIN_SECONDS = 300.0
# Not the columns whose values Python cannot read.
JOBS = """SELECT "Id", "Status", "ErrorCode", "ErrorMessage", "AttemptCount", "LeaseVersion", "ResultModelVersion",
    "WorkerId", "InitiatedBy", "Result" ->> 'coalesced_into' AS coalesced_into FROM "TrainingJobs" """


@dataclass(frozen=True)
class Outcome:
    """The figures of a run, and its losses, which must be empty."""

    figures: dict[str, object]
    losses: list[str]


@dataclass
class Chaos:
    """A run of at least `seconds` and `jobs`."""

    seconds: float
    jobs: int
    server: EmbeddedPostgres
    shop: Shop
    staff: Staff
    backend: UnhelpfulBackend
    operator: UnhelpfulOperator
    sessions: SessionsInTheWay
    _counts: Counter[str] = field(default_factory=Counter)
    _losses: list[str] = field(default_factory=list)
    _forgotten: set[str] = field(default_factory=set)

    def disturb(self) -> None:
        """Kill and replace workers, and restart Postgres, while inserting jobs."""
        began, inserted, rounds = time.monotonic(), 0, 0
        restarts: list[Callable[[], None]] = [self.server.restart, self._crash, self._fail_over]
        while (spent := time.monotonic() - began) < self.seconds or inserted < self.jobs or restarts:
            completed = self._count("Completed")
            inserted += self._insert_jobs()
            self.backend.disturb()
            if rounds % OPERATE_EVERY == OPERATE_EVERY - 1:
                self.operator.disturb()
            if rounds % LOCK_EVERY == LOCK_EVERY - 1:
                self.sessions.disturb()
            self.staff.upgrade.go_on(spent / self.seconds)
            self.staff.fill()
            if restarts and spent > self.seconds * (4 - len(restarts)) / 4:
                restarts.pop(0)()
                self._counts["restarts"] += 1
            if rounds % FREEZE_EVERY == 0:
                self.staff.freeze_one()
            time.sleep(max(0.0, KILL_SECONDS - (time.monotonic() - began - spent)))
            while time.monotonic() - began - spent < LONGEST_ROUND and self._count("Completed") == completed:
                time.sleep(0.1)
            self.staff.thaw(time.monotonic())
            self.staff.kill_one()
            rounds += 1

    def drain(self) -> None:
        """Let the workers finish the remaining jobs, stop them, and have a new one remove orphans."""
        self.staff.thaw(float("inf"))
        self.staff.fill()
        deadline = time.monotonic() + DRAIN_SECONDS
        while (left := self._count("Pending", "Running")) and time.monotonic() < deadline:
            time.sleep(0.1)
        if left:
            self._losses.append(f"{left} jobs did not end within {DRAIN_SECONDS:g} s")
        self.staff.leave()

    def outcome(self) -> Outcome:
        """Audit the database, the folders and the logs; change nothing."""
        with self.shop.connect() as connection:
            jobs = connection.execute(JOBS).fetchall()
        changes = history(self.shop)
        audit = Audit(
            self.shop,
            jobs,
            changes,
            {each.log: each.log.read_text() for each in self.staff.workers.started},
            frozenset(self.operator.pruned),
            frozenset(self._forgotten),
        )
        losses = self._losses + self.staff.losses + self.operator.faults + list(audit.losses())
        logged = Counter(event["event"] for events in audit.events() for event in events)
        good = {job["Id"]: job for job in jobs if job["InitiatedBy"] is None}
        died = self.staff.died(audit.events())
        figures = {
            "jobs": len(good),
            "odd rows beside them": len(jobs) - len(good),
            "workers killed": len(self.staff.killed),
            "workers frozen": self.staff.times_frozen,
            "workers of the version before, beside today's schema": self.staff.upgrade.beside,
            "Postgres restarts": self._counts["restarts"],
            "models forgotten in a fail-over": len(self._forgotten),
            "output taken away": self.operator.outages,
            "rolled back": self.operator.rollbacks,
            "models pruned": len(self.operator.pruned),
            "times that the models were locked": self.sessions.models,
            "jobs' rows locked": self.sessions.jobs,
            "statements cancelled": self.sessions.cancelled,
            "completions": sum(change.new == "Completed" for job in good for change in changes[job]),
            "jobs rescued": logged[Event.JOB_RESCUED],
            "leases lost": logged[Event.LEASE_LOST],
            "retries": logged[Event.JOB_RETRIED],
            "odd rows passed over": logged[Event.JOB_PASSED_OVER],
            "most attempts at a job": max(job["AttemptCount"] for job in good.values()),
            "longest from kill to running again": f"{longest_return(changes, died):.1f} s",
            "orphans awaiting clean-up": len(audit.orphans()),
            "versions reserved by the dead": len(audit.reservations()),
            "losses": len(losses),
        }
        return Outcome(figures, losses)

    def _insert_jobs(self) -> int:
        """Insert enough jobs that no worker is idle; return their number."""
        wanted = max(0, 3 * self.staff.crew - self._count("Pending"))
        with self.shop.connect() as connection:
            connection.execute(
                'INSERT INTO "TrainingJobs" ("MaxAttempts") SELECT 50 FROM generate_series(1, %s)', (wanted,)
            )
        return wanted

    def _count(self, *statuses: str) -> int:
        with self.shop.connect() as connection:
            row: Any = connection.execute(
                'SELECT count(*) FROM "TrainingJobs" WHERE "Status" = ANY (%s) AND "InitiatedBy" IS NULL',
                (list(statuses),),
            ).fetchone()
        return int(row["count"])

    def _crash(self) -> None:
        self.server.kill()
        self.server.start()

    def _fail_over(self) -> None:
        self._forgotten |= fail_over(self.server, self.shop)


def run(seconds: float, jobs: int, crew: int, folder: Path) -> Outcome:
    """Do a whole run; keep its models and logs in `folder`, end its processes and its database."""
    with EmbeddedPostgres() as server:
        shop = Shop(server.create_database("chaos"), folder / "storage", folder / "models")
        upgrade = RollingUpgrade(shop, unpack(folder / "before"))
        upgrade.begin()
        remember(shop)
        workers = Workers(shop, folder)
        backend = UnhelpfulBackend(shop)
        backend.begin()
        photos = folder / "photos"
        lay_out(photos)
        staff, operator = Staff(crew, workers, upgrade, photos), UnhelpfulOperator(shop, upgrade)
        chaos = Chaos(seconds, jobs, server, shop, staff, backend, operator, SessionsInTheWay(shop))
        try:
            chaos.disturb()
            chaos.drain()
            return chaos.outcome()
        finally:
            for worker in workers.started:
                worker.process.kill()
                worker.process.wait()


def main() -> None:
    """Run, print the figures, and remove the folder; at a loss, keep it and exit with 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="least minutes of killing workers")
    parser.add_argument("--jobs", type=int, default=100, help="least number of jobs")
    parser.add_argument("--workers", type=int, default=4, help="number of workers at a time")
    wanted = parser.parse_args()
    # Its workers must not outlive it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Chaos was ended by SIGTERM."))
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    outcome = run(60 * wanted.minutes, wanted.jobs, wanted.workers, folder)
    console, table = Console(), Table("chaos", "")
    for name, value in outcome.figures.items():
        table.add_row(name, str(value))
    console.print(table)
    for loss in outcome.losses:
        console.print(f"LOSS: {loss[:500]}", style="red", markup=False, soft_wrap=True)
    if outcome.losses:
        sys.exit(f"The models and logs are in {folder}.")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
