"""A real server runs queries as they were read from a file."""

from pathlib import Path

import psycopg

from tests.unit.database.test_sql import GOOD, written
from worker.database.sql import Queries, load_queries


def test_psycopg_runs_them(tmp_path: Path, empty_database: str) -> None:
    queries: Queries = load_queries(written(tmp_path, GOOD))
    with psycopg.connect(empty_database) as connection:
        assert connection.execute(queries["claim_job"], {"number": 7}).fetchone() == (7, "é")
