"""A migration's text is split where a statement ends, and nowhere else."""

import pytest

from worker.database.statements import split

TEXT = """-- A comment; with a semicolon.
CREATE INDEX "a;b" ON t (x); /* two; of them */ SELECT ';', 'it''s;';

DO $body$ BEGIN PERFORM 1; END $body$;
SELECT 1 -- the last; has none
"""


def test_semicolons_in_texts_names_comments_and_bodies_end_nothing() -> None:
    statements = list(split(TEXT))
    assert [statement.text for statement in statements] == [
        'CREATE INDEX "a;b" ON t (x)',
        "SELECT ';', 'it''s;'",
        "DO $body$ BEGIN PERFORM 1; END $body$",
        "SELECT 1 -- the last; has none\n",
    ]
    assert all(TEXT[each.start :].startswith(each.text) for each in statements)


@pytest.mark.parametrize("text", ["", "-- nothing", "  \n/* nothing */\n", ";;"])
def test_what_has_no_statement_gives_none(text: str) -> None:
    assert list(split(text)) == []
