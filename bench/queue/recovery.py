"""Measures how long a job waits when its worker is killed and another worker is idle."""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.queue import ours, pgqueuer_side, procrastinate_side
from bench.queue.measures import Sides
from bench.queue.report import Measure, Result
from bench.queue.server import Lane, Server, TooSlow
from bench.queue.side import Setup, Side

LONG_JOB_SECONDS = 3600
REPETITIONS = 3
MARKS = ("median", "min", "max")
PATIENCE_SECONDS = 90

RECOVERY = """\
since killed: from the SIGKILL of the worker to the next claim of its job, by the database's clock. since given up:
from the time at which the silent worker may lose its job (the lease's end, or the last heartbeat plus its timeout)
to that claim. The time of the SIGKILL is random within the worker's cycle. Sides run in parallel."""

TEN_MINUTES = "it waits for the clock's next 10-minute mark: 0.5 to 10.5 minutes, 5.5 on average"


@dataclass(frozen=True)
class Rest:
    """Seconds to the next claim, since the worker was killed, and since its job was given up."""

    killed: float
    given_up: float


def kill_a_worker(lane: Lane, patience: float) -> Rest | None:
    """Kill the worker that has a job; `None` when the idle one does not claim it within `patience` seconds."""
    with lane.server.worker(lane, LONG_JOB_SECONDS) as first:
        first.wait_until_idle(lane.connection)
        job = lane.insert()
        lane.wait_for_claims(job, 1, PATIENCE_SECONDS)
        with lane.server.worker(lane, LONG_JOB_SECONDS) as second:
            second.wait_until_idle(lane.connection)
            time.sleep(1 + random.uniform(0, lane.setup.cycle))
            first.kill()
            killed, given_up = lane.now(), lane.given_up_at(job)
            assert lane.times(job).claims == 1
            try:
                claimed = lane.wait_for_claims(job, 2, patience)
            except TooSlow:
                return None
    return Rest((claimed - killed).total_seconds(), (claimed - given_up).total_seconds())


class Recovery:
    """Starts the long measurements in the background; `measure` runs the others and collects all results."""

    def __init__(self, server: Server, sides: Sides, ends: float) -> None:
        self._server, self._sides = server, sides
        self._pool = ThreadPoolExecutor(max_workers=16)
        # Its documented period is longer than a run.
        slow = self._start(sides.procrastinate, sides.procrastinate.usual, ends - time.monotonic())
        self._usual = [
            *(self._start(side, side.usual, beside=REPETITIONS) for side in (sides.ours, sides.pgqueuer)),
            slow,
        ]

    def measure(self) -> Measure:
        """Run the short measurements, one `patience` after another, and collect all results."""
        sides = self._sides
        quick = self._repeat_together(
            (sides.ours, ours.leased(3)),
            (sides.procrastinate, procrastinate_side.patient(3)),
            (sides.pgqueuer, pgqueuer_side.patient(3)),
        )
        medium = self._repeat_together(
            (sides.ours, ours.leased(10)),
            (sides.procrastinate, procrastinate_side.patient(10)),
            (sides.pgqueuer, pgqueuer_side.patient(10)),
        )
        killed, given_up = zip(*quick, *medium, *(wait() for wait in self._usual), strict=True)
        self._pool.shutdown()
        return Measure("Killed worker", "seconds", RECOVERY, MARKS, [*killed, *given_up])

    def _repeat_together(self, *kinds: tuple[Side, Setup]) -> list[tuple[Result, Result]]:
        waiting = [self._start(side, setup, times=REPETITIONS) for side, setup in kinds]
        return [wait() for wait in waiting]

    def _start(
        self, side: Side, setup: Setup, patience: float = PATIENCE_SECONDS, beside: int = 1, times: int = 1
    ) -> Callable[[], tuple[Result, Result]]:
        """Start killing workers, `beside` in parallel and `times` in series; call the result to wait for it."""

        def repeat() -> list[Rest | None]:
            lanes = [self._sides.lane(self._server, side, setup) for _ in range(times)]
            return [kill_a_worker(lane, patience) for lane in lanes]

        series = [self._pool.submit(repeat) for _ in range(beside)]
        return lambda: told(side, setup, [rest for future in series for rest in future.result()], patience)


def told(side: Side, setup: Setup, rests: Sequence[Rest | None], patience: float) -> tuple[Result, Result]:
    """The results since the kill and since the job was given up, with a note about those not in time."""
    seen = [rest for rest in rests if rest]
    missed = f"{len(rests) - len(seen)}x not within {patience:.0f} s; " if len(seen) < len(rests) else ""
    note = missed + (TEN_MINUTES if setup is procrastinate_side.USUAL else "")
    return (
        Result(side.name, setup.words, "since killed", [rest.killed for rest in seen], note),
        Result(side.name, setup.words, "since given up", [rest.given_up for rest in seen]),
    )
