"""Times each of our frequent statements beside many jobs, and counts what many renewals of one job leave behind."""

import time
from collections.abc import Mapping, Sequence

from bench.queue.measures import FINISHED, FUTURE, PATIENCE_SECONDS, Sides
from bench.queue.report import Measure, Result
from bench.queue.server import Lane, Server, wait_for
from worker.queue.jobs import QUERIES

REPETITIONS = 100
RENEWALS = 10_000
DUE = 20

TIMED = f"""\
Each statement alone, from the client's call to its answer, in a transaction that is rolled back; {FINISHED:,} jobs have
ended and {FUTURE:,} are in the future. light and dead as below."""

USUAL: Mapping[str, object] = {
    "worker_id": "bench",
    "job_id": None,
    "passed_over": [],
    "lease_seconds": 60,
    "options_length": 100,
    "error_code": "worker_lost",
    "version": "v77",
}
ASKED = ("next_due", "claim", "rescue", "seconds_until_next", "is_result")


def statements(server: Server, sides: Sides) -> Measure:
    """Time those of an idle worker and, with some jobs that are due, of one that claims."""
    lane = sides.filled_lane(server, sides.ours)
    results = [timed(lane, name, "none is due") for name in ASKED if name != "claim"]
    jobs = [lane.insert()["job"] for _ in range(DUE)]
    results += [timed(lane, name, f"{DUE} are due", jobs) for name in ASKED]
    results.append(renewals(lane, jobs[0]))
    return Measure("Our statements", "milliseconds", TIMED, ("median", "p95", "max"), results)


def timed(lane: Lane, name: str, words: str, jobs: Sequence[object] = ()) -> Result:
    taken: list[float] = []
    for number in range(REPETITIONS):
        values = dict(USUAL)
        if name == "claim":
            values["job_id"] = jobs[number % len(jobs)]
        with lane.connection.transaction(force_rollback=True):
            began = time.perf_counter()
            lane.connection.execute(QUERIES[name], values).fetchall()
            taken.append(1000 * (time.perf_counter() - began))
    return Result(lane.side.name, words, name, taken)


def renewals(lane: Lane, job: object) -> Result:
    """Claim a job, and renew its lease many times."""
    claim = lane.connection.execute(QUERIES["claim"], {**USUAL, "job_id": job}).fetchone()
    assert claim
    lane.reconnect()
    before, taken = lane.updates(), []
    for number in range(RENEWALS):
        progress = {
            "job_id": job,
            "lease_version": 1,
            "percentage": number % 99,
            "current_stage": f"Training: step {number} of {RENEWALS}",
            "seconds_left": 60.0,
        }
        began = time.perf_counter()
        lane.connection.execute(QUERIES["renew"], {**USUAL, **progress}).fetchall()
        taken.append(1000 * (time.perf_counter() - began))
    lane.reconnect()
    wait_for(lambda: lane.updates().updates >= before.updates + RENEWALS, PATIENCE_SECONDS)
    after = lane.updates()
    note = f"{after.light - before.light} light; {after.dead - before.dead} dead"
    return Result(lane.side.name, f"{RENEWALS:,} of one job", "renew", taken, note)
