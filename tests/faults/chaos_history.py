"""Records every change of a job's status in the database, independent of the workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from tests.support.shop import Shop

CREATE = """
CREATE TABLE history (
    number bigserial PRIMARY KEY, job uuid, old varchar(20), new varchar(20), worker varchar(200), at timestamptz
);
CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO history (job, old, new, worker, at)
    VALUES (NEW."Id", OLD."Status", NEW."Status", NEW."WorkerId", clock_timestamp());
    RETURN NULL;
END
$$;
CREATE TRIGGER "Remember" AFTER UPDATE ON "TrainingJobs"
    FOR EACH ROW WHEN (OLD."Status" <> NEW."Status") EXECUTE FUNCTION remember();
"""


@dataclass(frozen=True)
class Change:
    """A change of a job's status from `old` to `new`; `worker` holds the job, or held it last."""

    job: UUID
    old: str
    new: str
    worker: str | None
    at: datetime


def remember(shop: Shop) -> None:
    """Install the trigger that records the history."""
    with shop.connect() as connection:
        connection.execute(CREATE)


def history(shop: Shop) -> dict[UUID, list[Change]]:
    """Return the changes of each job, in their order."""
    with shop.connect() as connection:
        cursor: Any = connection.cursor(row_factory=class_row(Change))
        changes = cursor.execute("SELECT job, old, new, worker, at FROM history ORDER BY number").fetchall()
    jobs: dict[UUID, list[Change]] = {}
    for change in changes:
        jobs.setdefault(change.job, []).append(change)
    return jobs


def longest_return(jobs: Mapping[UUID, list[Change]], killed: Mapping[str, datetime]) -> float:
    """Longest time in seconds from a worker's kill until another one claimed its job."""
    longest = 0.0
    for changes in jobs.values():
        for number, change in enumerate(changes):
            died = killed.get(change.worker or "") if change.new == "Running" else None
            later = changes[number + 1 :]
            if died is None or not later or later[0].at < died:
                continue
            again = next((change.at for change in later if change.new == "Running"), died)
            longest = max(longest, (again - died).total_seconds())
    return longest
