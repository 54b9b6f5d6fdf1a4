"""docs/contract.md is what a backend is written against: its statements run, its tables are complete."""

import json
import re
from concurrent.futures import ProcessPoolExecutor
from itertools import takewhile
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from worker.database.migrate import MIGRATIONS, migrate
from worker.database.migration import MigrationError
from worker.job.options import Options
from worker.job.progress import PERCENTAGES, Stage

CONTRACT = (Path(__file__).parents[2] / "docs" / "contract.md").read_text()
BACKEND = (Path(__file__).parents[1] / "support" / "backend.sql").read_text()
NAMED_RANGES = {"boolean": "true, false", "array": "any"}
STATEMENTS = dict(re.findall(r"```sql\n-- (.+?)\n(.+?)```", CONTRACT, re.DOTALL))


def statement(name: str) -> str:
    """A statement of the document, its @parameters in psycopg's spelling."""
    return re.sub(r"@(\w+)", r"%(\1)s", STATEMENTS[name])


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading of the document."""
    section = CONTRACT.split(f"\n{heading}\n")[1]
    lines = section[section.index("|---") :].splitlines()[1:]
    rows = takewhile(bool, lines)
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def connect(database: str) -> psycopg.Connection[dict[str, Any]]:
    return psycopg.connect(database, autocommit=True, row_factory=dict_row)


def columns(database: str, name: str) -> dict[str, str]:
    with connect(database) as connection:
        rows = connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            (f'"{name}"',),
        )
        return {row["attname"]: row["type"] for row in rows}


@pytest.mark.parametrize("name", ["TrainingJobs", "ModelMetadata", "ModelActivations"])
def test_the_document_lists_every_column_with_its_type(database: str, name: str) -> None:
    spellings = {"timestamp with time zone": "timestamptz", "character varying": "varchar"}
    there = columns(database, name)
    for long, short in spellings.items():
        there = {column: kind.replace(long, short) for column, kind in there.items()}
    assert {row[0]: row[1] for row in table(f'## "{name}"')} == there


def test_the_document_lists_every_option_with_its_default_and_range() -> None:
    listed = {row[0]: (row[2], row[3]) for row in table("### Options")}
    defaults = Options().model_dump(mode="json")
    schema = Options.model_json_schema()
    assert listed == {
        name: (json.dumps(defaults[name]).strip('"'), allowed(rule, schema["$defs"]))
        for name, rule in schema["properties"].items()
    }


def allowed(rule: dict[str, Any], enums: dict[str, Any]) -> str:
    if "$ref" in rule:
        return ", ".join(enums[rule["$ref"].rsplit("/", 1)[1]]["enum"])
    rule = rule.get("anyOf", [rule])[0]
    if rule["type"] in NAMED_RANGES:
        return NAMED_RANGES[rule["type"]]
    least = rule.get("minimum", rule.get("exclusiveMinimum"))
    return f"{least:g} to {rule['maximum']:.0f}"


def test_the_document_lists_every_stage_in_order() -> None:
    rows = table("### Stages")
    assert [row[0] for row in rows] == list(Stage)
    for name, percent, _ in rows:
        first, last = PERCENTAGES[Stage(name)].first, PERCENTAGES[Stage(name)].last
        assert percent.startswith(str(first))
        assert percent in (str(first), f"{first} to {last}", "95 to 100")


def test_a_backend_inserts_reads_and_cancels(database: str) -> None:
    with connect(database) as backend:
        inserted = backend.execute(statement("insert")).fetchone()
        assert inserted
        job = inserted["Id"]
        read = backend.execute(statement("read"), {"job": job}).fetchone()
        assert read
        assert (read["Status"], read["ProgressPercentage"]) == ("Pending", 0)
        assert backend.execute(statement("cancel"), {"job": job}).rowcount == 1
        read = backend.execute(statement("read"), {"job": job}).fetchone()
        assert read
        assert read["Status"] == "Cancelled"
        assert backend.execute(statement("cancel"), {"job": job}).rowcount == 0


def test_a_backend_has_a_cancelled_job_tried_again(database: str) -> None:
    with connect(database) as backend:
        inserted = backend.execute(statement("insert")).fetchone()
        assert inserted
        job = {"job": inserted["Id"]}
        backend.execute(statement("cancel"), job)
        backend.execute(statement("retry"), job)
        read = backend.execute(statement("read"), job).fetchone()
        assert read
        assert read["Status"] == "Pending"


def test_the_document_lists_what_only_the_worker_writes(database: str) -> None:
    workers = {row[0] for row in table('## "TrainingJobs"') if row[2] == "worker"}
    mapping = CONTRACT.split("```csharp")[1].split("```")[0].split("];")[0]
    assert set(re.findall(r'"(\w+)"', mapping)) == workers
    with connect(database) as backend:
        row = backend.execute("SELECT pg_get_functiondef('training_jobs_keep'::regproc) AS source").fetchone()
    assert row
    assert set(re.findall(r'^    NEW\."(\w+)" := OLD', row["source"], re.MULTILINE)) == workers


def test_a_backend_inserts_with_options_and_finds_no_active_model_yet(database: str) -> None:
    with connect(database) as backend:
        assert backend.execute(statement("insert with options"), {"user": uuid4()}).fetchone()
        assert backend.execute(statement("active model")).fetchone() is None


@pytest.mark.parametrize("status", ["pending", "Done", ""])
def test_a_status_outside_the_list_is_refused(database: str, status: str) -> None:
    with connect(database) as backend, pytest.raises(psycopg.errors.CheckViolation):
        backend.execute('INSERT INTO "TrainingJobs" ("Status") VALUES (%s)', (status,))


def test_an_empty_database_gets_the_catalogue_too_and_twice_is_once(empty_database: str) -> None:
    assert migrate(empty_database, MIGRATIONS) == [file.stem for file in sorted(MIGRATIONS.glob("*.sql"))]
    assert migrate(empty_database, MIGRATIONS) == []
    assert columns(empty_database, "Products")
    assert columns(empty_database, "ProductPhotos")


def test_two_processes_migrate_at_once(empty_database: str) -> None:
    with ProcessPoolExecutor(2) as processes:
        applied = list(processes.map(migrate, [empty_database] * 2, [MIGRATIONS] * 2))
    assert sorted(map(len, applied)) == [0, len(list(MIGRATIONS.glob("*.sql")))]


def test_a_backends_own_tables_stay_as_they_are(empty_database: str) -> None:
    with connect(empty_database) as backend:
        backend.execute(BACKEND)
    own = ("Suppliers", "Products", "ProductPhotos", "ModelMetadata")
    before = {name: columns(empty_database, name) for name in own}
    migrate(empty_database, MIGRATIONS)
    migrate(empty_database, MIGRATIONS)
    assert {name: columns(empty_database, name) for name in own} == before
    with connect(empty_database) as backend:
        assert backend.execute(statement("insert")).fetchone()


def insert_model(backend: psycopg.Connection[dict[str, Any]], version: str) -> None:
    backend.execute(
        'INSERT INTO "ModelMetadata" VALUES (%s, %s, now(), %s, NULL, 1, 1, true, NULL, now(), now())',
        (uuid4(), version, f"models/{version}"),
    )


def test_a_second_active_model_is_impossible(database: str) -> None:
    with connect(database) as backend:
        insert_model(backend, "v1_20260101")
        with pytest.raises(psycopg.errors.UniqueViolation):
            insert_model(backend, "v2_20260101")


def test_a_backend_with_two_active_models_is_told_which(empty_database: str) -> None:
    with connect(empty_database) as backend:
        backend.execute(BACKEND)
        insert_model(backend, "v1_20260101")
        insert_model(backend, "v2_20260101")
    with pytest.raises(MigrationError, match="v1_20260101, v2_20260101"):
        migrate(empty_database, MIGRATIONS)
