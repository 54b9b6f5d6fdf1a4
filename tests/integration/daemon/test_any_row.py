"""Whatever a job's row holds, the jobs beside it are done, and the worker goes on."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.support.in_process import daemon_of
from worker.daemon.main_loop import Daemon

EXAMPLES = 25
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)
SMALL = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([-(2**31), -1, 0, 1, 1101, 2**31 - 2, 2**31 - 1])
LARGE = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), -1, 0, 2**63 - 2, 2**63 - 1])
TIMES = st.sampled_from(
    [
        "-infinity",
        "infinity",
        "epoch",
        "now",
        "4713-01-01 00:00 BC",
        "0001-01-01",
        "294276-12-31 23:59:59.999",
    ]
) | st.datetimes().map(str)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
).map(json.dumps) | st.sampled_from(
    [
        "{}",
        '{"seed": 1e5000}',
        '{"time_budget_seconds": 1e400}',
        '{"seed": -1e-5000}',
        "[" * 2500 + "]" * 2500,
        '{"negatives": ' + "[" * 2500 + "]" * 2500 + "}",
        '{"negatives": [' + ",".join(['"x"'] * 1000) + "]}",
    ]
)
# Of every column, but those whose values the table's own constraints list.
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "ProgressPercentage": st.integers(0, 100),
    "CurrentStage": TEXTS | st.none(),
    "EstimatedCompletionAt": TIMES | st.none(),
    "Priority": SMALL,
    "RunAfter": TIMES,
    "Options": JSON,
    "AttemptCount": SMALL,
    "MaxAttempts": st.integers(1, 2**31 - 1),
    "LeaseVersion": LARGE,
    "LeasedUntil": TIMES,
    "WorkerId": TEXTS,
    "CancelRequestedAt": TIMES | st.none(),
    "StartedAt": TIMES | st.none(),
    "CompletedAt": TIMES | st.none(),
    "DurationSeconds": st.floats() | st.none(),
    "ErrorCode": TEXTS | st.none(),
    "ErrorMessage": TEXTS | st.none(),
    "ResultModelVersion": TEXTS | st.none(),
    "Result": JSON | st.none(),
    "InitiatedBy": st.uuids().map(str) | st.none(),
    "CreatedAt": TIMES,
    "UpdatedAt": TIMES,
    "InterruptionCount": SMALL,
}
STATUSES = st.sampled_from(["Pending", "Pending", "Running", "Completed", "Failed", "Cancelled"])
ROWS = st.fixed_dictionaries({"Status": STATUSES}, optional=COLUMNS).filter(
    lambda row: row["Status"] != "Running" or {"LeasedUntil", "WorkerId"} <= row.keys()
)


def insert(connection: psycopg.Connection[Any], row: dict[str, Any]) -> UUID:
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join(sql.Placeholder() * len(row))
    query = sql.SQL('INSERT INTO "TrainingJobs" ({}) VALUES ({}) RETURNING "Id"').format(names, values)
    found = connection.execute(query, list(row.values())).fetchone()
    assert found
    return UUID(str(found[0]))


# Each of these ended every worker that saw it.
POISON: list[dict[str, Any]] = [
    {"Options": '{"seed": 1e5000}'},
    {"Options": '{"seed": ' + "[" * 2500 + "]" * 2500 + "}"},
    {"RunAfter": "-infinity", "CreatedAt": "-infinity"},
    {"RunAfter": "infinity"},
    {"CreatedAt": "infinity"},
    {"AttemptCount": 2**31 - 1},
    {"AttemptCount": 1100},
    {"LeaseVersion": 2**63 - 1},
]


def examples(test: Callable[..., None]) -> Callable[..., None]:
    """Have the test try each poison beside what hypothesis thinks of."""
    for row in POISON:
        test = example({"Status": "Pending"} | row)(test)
    return test


# None of the three completes another one with itself.
ALONE = {"Options": '{"coalesce": false}'}


async def work_beside(daemon: Daemon, connection: psycopg.Connection[Any], row: dict[str, Any]) -> None:
    good = insert(connection, ALONE | {"Priority": 0})
    odd = insert(connection, ALONE | row)
    later = insert(connection, ALONE | {"Priority": -(2**31)})
    await daemon.work(until_idle=True)
    cursor = connection.execute('SELECT "Id", "Status" FROM "TrainingJobs"')
    found = dict(cursor.fetchall())
    assert (found.pop(good), found.pop(later)) == ("Completed", "Completed")
    assert daemon.queue.passed_over == {}
    assert found.keys() == {odd}


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_any_values_in_a_jobs_row_leave_the_jobs_beside_it_alone(database: str, tmp_path: Path) -> None:
    with (
        psycopg.connect(database, autocommit=True) as connection,
        asyncio.Runner() as runner,
    ):
        opening = daemon_of(database, tmp_path)
        daemon = runner.run(opening.__aenter__())

        @examples
        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(ROWS)
        def try_one(row: dict[str, Any]) -> None:
            connection.execute('DELETE FROM "TrainingJobs"')
            runner.run(work_beside(daemon, connection, row))

        try:
            try_one()
        finally:
            runner.run(opening.__aexit__(None, None, None))
