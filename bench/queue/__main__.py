"""Compares our job queue with procrastinate and pgqueuer, on one Postgres in the same run: `make bench-queue`.

Measures latency from insert to claim, recovery after a killed worker and after a restart of Postgres, the updates of
a running job, the statements of an idle worker, and each of our statements beside many jobs. It takes about a
quarter of an hour and asserts nothing: times depend on the machine.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from bench.queue import report
from bench.queue.costs import costs
from bench.queue.measures import Sides, latency, restart
from bench.queue.recovery import Recovery
from bench.queue.server import Server
from bench.queue.statements import statements
from demo.embedded_postgres import EmbeddedPostgres

RUN_SECONDS = 455


def main(rounds: int, output: Path) -> None:
    """Measure everything, print the tables and write the numbers to `output`."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else report.WIDTH)
    started, load = time.monotonic(), load_average()
    sides = Sides()
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres() as postgres:
        server = Server(postgres, Path(folder))
        server.configure()
        sides.install(server)

        console.print("Restarting Postgres under idle workers …")
        restarted = restart(server, sides)
        # Postgres is not restarted again, so that long measurements can run in the background.
        recovery = Recovery(server, sides, started + RUN_SECONDS)
        console.print("Counting updates and statements …")
        cost = costs(server, sides)
        console.print("Timing our statements beside many jobs …")
        timed = statements(server, sides)
        console.print(f"Inserting {rounds} jobs a side …")
        claimed = latency(server, sides, rounds)
        console.print("Killing workers …")
        recovered = recovery.measure()
        versions = versions_of(server, sides)

    conditions = {**versions, "cores": str(os.cpu_count()), "load before": load, "load after": load_average()}
    measures = [claimed, timed, recovered, restarted, *cost]
    report.show(measures, conditions, console)
    report.write(measures, conditions, output)
    console.print(f"Every value is in {output}. It took {time.monotonic() - started:.0f} s.")


def versions_of(server: Server, sides: Sides) -> dict[str, str]:
    """The versions of Python, Postgres and each side's packages."""
    with server.connect(server.postgres.url()) as connection:
        postgres = connection.info.parameter_status("server_version") or ""
    packages = {name: version(name) for side in sides.all for name in side.packages}
    return {"Python": platform.python_version(), "Postgres": postgres, **packages}


def load_average() -> str:
    """The load average of the last five minutes, which includes this bench."""
    return f"{os.getloadavg()[1]:.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.queue", description=__doc__)
    parser.add_argument("--rounds", type=int, default=240, help="jobs a side for the latency")
    parser.add_argument("--output", type=Path, default=Path("bench-queue.json"), help="where the JSON goes")
    given = parser.parse_args()
    main(given.rounds, given.output)
