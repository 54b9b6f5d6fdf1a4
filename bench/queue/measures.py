"""Measures the latency of claims, and the recovery after a restart of Postgres."""

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime

from bench.queue import ours
from bench.queue.ours import Ours
from bench.queue.pgqueuer_side import Pgqueuer
from bench.queue.procrastinate_side import Procrastinate
from bench.queue.report import Measure, Result
from bench.queue.server import POLL_SECONDS, Lane, Server, TooSlow, wait_for
from bench.queue.side import Job, Setup, Side, Times

WARM_UP = 5
# Lanes that are slow or have full tables run in every fourth round.
RARELY = 4
RESTARTS = 5
PATIENCE_SECONDS = 60
FINISHED, FUTURE = 1_000_000, 100_000

LATENCY = """\
committed: from the commit of the insert to the commit of the claim, by the server's commit timestamps; comparable
between sides. recorded: from the rows' own times: ours "StartedAt" - "CreatedAt", procrastinate's events started -
deferred, pgqueuer's log picked - queued. These are the starts of the transactions, without the time that a claim
takes within its transaction. Jobs do nothing and run one at a time, each inserted 50 to 150 ms after the end of the
one before; sides take turns job by job. This Postgres does not wait for its disk (fsync is off)."""

RESTART = """\
From the first connection after a fast restart to the claim of a job inserted at once; the workers are idle and
configured as in the first table. A supervisor restarts a worker that exits, after the given pause."""


@dataclass(frozen=True)
class Sides:
    """The three queues, and for each name the template database with its empty tables."""

    templates: dict[str, str] = field(default_factory=dict)
    ours: Ours = field(default_factory=Ours)
    procrastinate: Side = field(default_factory=Procrastinate)
    pgqueuer: Side = field(default_factory=Pgqueuer)

    @property
    def all(self) -> tuple[Side, Side, Side]:
        return self.ours, self.procrastinate, self.pgqueuer

    def install(self, server: Server) -> None:
        for side in self.all:
            self.templates[side.name] = server.template(side)

    def lane(self, server: Server, side: Side, setup: Setup | None = None) -> Lane:
        """A lane for a side on its own database, with the given or the usual setup."""
        return Lane(server, side, setup or side.usual, self.templates[side.name])

    def filled_lane(self, server: Server, side: Side) -> Lane:
        """A lane with many jobs that have ended or are in the future."""
        name = f"{side.name}, filled"
        if name not in self.templates:
            self.templates[name] = server.template(side, FINISHED, FUTURE)
        words = f"{side.usual.words}; {FINISHED:,} finished, {FUTURE:,} in the future"
        return Lane(server, side, replace(side.usual, words=words), self.templates[name])


def latency(server: Server, sides: Sides, rounds: int) -> Measure:
    """Insert one job after another, each for an idle worker; the sides take turns."""
    often = [sides.lane(server, side) for side in sides.all]
    rarely = [
        sides.lane(server, sides.ours, ours.POLLING),
        *(sides.filled_lane(server, side) for side in sides.all),
    ]
    lanes = often + rarely
    taken: list[list[Times]] = [[] for _ in lanes]
    with ExitStack() as stack:
        for lane in lanes:
            stack.enter_context(server.worker(lane)).wait_until_idle(lane.connection)
        for number in range(-WARM_UP, rounds):
            turns = list(range(len(often) if number % RARELY else len(lanes)))
            for index in random.sample(turns, len(turns)):
                time.sleep(random.uniform(0.05, 0.15))
                times = to_its_end(lanes[index], lanes[index].insert())
                if number >= 0:
                    taken[index].append(times)
    spans = {"committed": committed_span, "recorded": recorded_span}
    results = [
        Result(lane.side.name, lane.setup.words, what, [ms for ms in map(span, times) if ms is not None])
        for what, span in spans.items()
        for lane, times in zip(lanes, taken, strict=True)
    ]
    return Measure("Insert to claim", "milliseconds", LATENCY, ("median", "p95", "p99", "max"), results)


def to_its_end(lane: Lane, job: Job) -> Times:
    """Wait until the job is done, and return its times; the claim's commit is the first one seen."""
    committed: datetime | None = None
    # The polling must not disturb the claim.
    time.sleep(2 * POLL_SECONDS)

    def ask() -> Times:
        nonlocal committed
        times = lane.times(job)
        committed = committed or times.claim_committed
        return times

    wait_for(lambda: ask().done, PATIENCE_SECONDS)
    return replace(lane.times(job), claim_committed=committed)


def committed_span(times: Times) -> float | None:
    if times.insert_committed is None or times.claim_committed is None:
        return None
    return 1000 * (times.claim_committed - times.insert_committed).total_seconds()


def recorded_span(times: Times) -> float | None:
    return 1000 * (times.claimed - times.inserted).total_seconds() if times.claimed else None


def restart(server: Server, sides: Sides) -> Measure:
    """Restart Postgres while the workers are idle, with all sides at the same time."""
    kinds = [(side, 0.1, "as systemd has it") for side in sides.all]
    # The pause in the unit file of its deployment guide.
    kinds.append((sides.pgqueuer, 5.0, "as its guide has it"))
    lanes = [sides.lane(server, side) for side, _, _ in kinds]
    seconds: list[list[float]] = [[] for _ in kinds]
    missed = [0 for _ in kinds]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(server.worker(lane, restart_after=pause))
            for lane, (_, pause, _) in zip(lanes, kinds, strict=True)
        ]
        for _ in range(RESTARTS):
            for worker, lane in zip(workers, lanes, strict=True):
                worker.wait_until_idle(lane.connection)
            time.sleep(random.uniform(0, 2))
            server.postgres.restart()
            answered, jobs = insert_at_once(lanes)
            for index, claimed in enumerate(claims(lanes, jobs)):
                if claimed is None:
                    missed[index] += 1
                else:
                    seconds[index].append((claimed - answered).total_seconds())
    results = [
        Result(
            side.name,
            f"supervisor's pause {pause:g} s, {whose}",
            "claimed after",
            values,
            f"{times}x not within {PATIENCE_SECONDS} s" if times else "",
        )
        for (side, pause, whose), values, times in zip(kinds, seconds, missed, strict=True)
    ]
    return Measure("Restart of Postgres", "seconds", RESTART, ("median", "min", "max"), results)


def insert_at_once(lanes: Sequence[Lane]) -> tuple[datetime, list[Job]]:
    """Insert a job for each lane in random order; return the time of the server's first answer, and the jobs."""
    answered: datetime | None = None
    jobs: dict[int, Job] = {}
    for index in random.sample(range(len(lanes)), len(lanes)):
        lanes[index].reconnect()
        answered = answered or lanes[index].now()
        jobs[index] = lanes[index].insert()
    assert answered
    return answered, [jobs[index] for index in range(len(lanes))]


def claims(lanes: Sequence[Lane], jobs: Sequence[Job]) -> list[datetime | None]:
    """The time when each job was claimed; `None` where it was not within PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    found: list[datetime | None] = []
    for lane, job in zip(lanes, jobs, strict=True):
        try:
            found.append(lane.wait_for_claims(job, 1, max(1.0, deadline - time.monotonic())))
        except TooSlow:
            found.append(None)
    return found
