"""Measures what a worker costs the database: the updates of a running job, and the statements of an idle worker."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from bench.queue.measures import PATIENCE_SECONDS, Sides
from bench.queue.report import Measure, Result
from bench.queue.server import Server, wait_for
from bench.queue.side import Side

WRITING_SECONDS = 30
IDLE_SECONDS = 60

WRITES = """\
Row updates during one job, with its claim and its end, in all tables of the database (n_tup_upd), per minute. light:
updates that change no index (HOT), whose old rows go when the page is next read. dead: rows left for a vacuum."""

IDLE = """\
Statements of one idle worker in the server's log (log_statement = all), BEGIN and COMMIT among them; the workers are
configured as in the first table, and there is no job."""


def costs(server: Server, sides: Sides) -> list[Measure]:
    """Count both at the same time: counts do not depend on the machine."""
    busy = replace(sides.ours, child="bench.queue.busy_child")
    running: list[tuple[Side, Side, str]] = [
        (busy, sides.ours, "; 10 reports a second"),
        *((side, side, "") for side in sides.all),
    ]
    with ThreadPoolExecutor() as pool:
        idle = [pool.submit(count_statements, server, sides, side) for side in sides.all]
        written = [pool.submit(count_updates, server, sides, *each) for each in running]
        return [
            Measure(
                "Writes", "updates per job-minute", WRITES, ("median",), [each.result() for each in written]
            ),
            Measure(
                "Idle worker", "statements a minute", IDLE, ("median",), [each.result() for each in idle]
            ),
        ]


def count_updates(server: Server, sides: Sides, side: Side, of: Side, words: str) -> Result:
    """Count those of one job of `side`, whose tables are those of `of`."""
    lane = sides.lane(server, of)
    lane.side = side
    with server.worker(lane, WRITING_SECONDS) as worker:
        worker.wait_until_idle(lane.connection)
        before = lane.updates()
        job = lane.insert()
        wait_for(lambda: lane.times(job).done, WRITING_SECONDS + PATIENCE_SECONDS)
    worker.wait_until_gone(lane.connection)
    after = lane.updates()
    updates, light = after.updates - before.updates, after.light - before.light
    note = f"{updates} in {WRITING_SECONDS} s, {light} of them light; {after.dead} dead"
    return Result(side.name, side.usual.words + words, "updates", [60 * updates / WRITING_SECONDS], note)


def count_statements(server: Server, sides: Sides, side: Side) -> Result:
    lane = sides.lane(server, side)
    lane.log_statements()
    with server.worker(lane) as worker:
        worker.wait_until_idle(lane.connection)
        before = server.statements(worker.name)
        time.sleep(IDLE_SECONDS)
        count = server.statements(worker.name) - before
    return Result(side.name, side.usual.words, "statements", [60 * count / IDLE_SECONDS])
