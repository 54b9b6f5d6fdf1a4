"""A backend that is no help, for a chaos run: it inserts rows that go wrong, and writes stale rows back whole."""

import random
from dataclasses import dataclass
from uuid import UUID

from tests.support.shop import Shop

# Who inserted the rows that are not to be done: the other jobs must be, beside them.
POISONER = UUID(int=13)
# Each job is to be done by itself: no two want the same, since a worker 0.1.0 does not know the option `coalesce`. No
# UPDATE changes a row of a certain priority.
BEGIN = """
ALTER TABLE "TrainingJobs" ALTER "Options"
    SET DEFAULT jsonb_build_object('seed', floor(random() * 2147483647)::integer);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'The backend keeps this row as it is.'; END $$;
CREATE TRIGGER "Refuse" BEFORE UPDATE ON "TrainingJobs"
    FOR EACH ROW WHEN (NEW."Priority" = 13) EXECUTE FUNCTION refuse();
CREATE TABLE stale (LIKE "TrainingJobs");
"""
# Columns and values of a row, and how its job may end.
POISON: list[tuple[str, str, tuple[str, str | None]]] = [
    ('"Options"', """'{"seed": 1e5000}'""", ("Failed", "invalid_options")),
    (
        '"Options"',
        """('{"seed": ' || repeat('[', 2500) || repeat(']', 2500) || '}')::jsonb""",
        ("Failed", "invalid_options"),
    ),
    ('"RunAfter", "Priority"', "'infinity', 5", ("Pending", None)),
    ('"RunAfter", "CreatedAt"', "'-infinity', '-infinity'", ("Completed", None)),
    ('"AttemptCount", "LeaseVersion"', "2147483647, 9223372036854775807", ("Completed", None)),
    ('"Priority"', "13", ("Pending", None)),
]

# Also of a job whose worker was killed, or that found the output away, and whose attempts were used up at once.
USED_UP = {("Failed", code) for code in ("worker_lost", "storage_unavailable", "output_incomplete")}
ENDINGS = {ending for _, _, ending in POISON} | USED_UP


@dataclass(frozen=True)
class UnhelpfulBackend:
    """Its statements: `begin` once, then `disturb` as often as one likes."""

    shop: Shop

    def begin(self) -> None:
        with self.shop.connect() as connection:
            connection.execute(BEGIN.encode())

    def disturb(self) -> None:
        """Insert one row that goes wrong, write back what was read at the last call, and read it again."""
        columns, values, _ = random.choice(POISON)
        with self.shop.connect() as connection:
            insert = (
                f'INSERT INTO "TrainingJobs" ("InitiatedBy", {columns}) VALUES (\'{POISONER}\', {values})'
            )
            connection.execute(insert.encode())
            row = connection.execute(
                """SELECT string_agg(quote_ident(attname), ', ') AS names FROM pg_attribute
                WHERE attrelid = 'stale'::regclass AND attnum > 0 AND NOT attisdropped"""
            ).fetchone()
            assert row
            names = row["names"]
            whole = f'UPDATE "TrainingJobs" AS job SET ({names}) = (SELECT {names} FROM stale WHERE "Id" = job."Id")'
            connection.execute(f'{whole} WHERE "Id" IN (SELECT "Id" FROM stale)'.encode())
            # With the columns that an upgrade has added since.
            connection.execute(
                """DROP TABLE stale;
                CREATE TABLE stale AS SELECT * FROM "TrainingJobs"
                WHERE "Status" IN ('Pending', 'Running') AND "Priority" <> 13"""
            )
