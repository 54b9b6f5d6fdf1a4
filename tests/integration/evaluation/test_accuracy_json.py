"""What a row says of a model fits its column."""

import json

import psycopg

from tests.unit.evaluation.test_accuracy_json import drawn
from worker.evaluation.accuracy_json import accuracy_metrics


def test_postgres_counts_the_characters_alike(database: str) -> None:
    with psycopg.connect(database) as connection:
        for seed in range(12):
            text = accuracy_metrics(drawn(seed))
            row = connection.execute("SELECT %s::varchar(2000), %s::jsonb", (text, text)).fetchone()
            assert row == (text, json.loads(text))
