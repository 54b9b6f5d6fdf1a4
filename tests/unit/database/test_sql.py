"""Files of named queries."""

from pathlib import Path

import pytest

from worker.database.sql import InvalidQueriesError, UnknownQueryError, load_queries


def written(folder: Path, text: str) -> Path:
    path = folder / "some.sql"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = """-- What this file is about.

-- name: claim_job
-- Takes at most 10% of them.
--
SELECT %(number)s::int -- one
     , 'é';

--name: odd_spacing
SELECT 2
"""


def test_queries_are_found_by_name_without_their_description(tmp_path: Path) -> None:
    queries = load_queries(written(tmp_path, GOOD))
    assert list(queries) == ["claim_job", "odd_spacing"]
    assert len(queries) == 2
    assert queries["claim_job"] == "SELECT %(number)s::int -- one\n     , 'é';".encode()
    assert queries["odd_spacing"] == b"SELECT 2"


def test_a_missing_name_is_answered_with_those_there(tmp_path: Path) -> None:
    queries = load_queries(written(tmp_path, GOOD))
    with pytest.raises(UnknownQueryError) as raised:
        _ = queries["claimjob"]
    assert str(raised.value) == f"{queries.path} has no query “claimjob”; it has: claim_job, odd_spacing."
    assert queries.get("claimjob") is None
    assert "claimjob" not in queries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1\n-- name: late\nSELECT 2", "line 1: a line “-- name: …” must come before"),
        ("-- name: twice\nSELECT 1\n-- name: twice\nSELECT 2", "line 3: there is a query “twice” already"),
        ("-- name: empty\n-- about\n\n-- name: full\nSELECT 1", "line 1: the query “empty” is empty"),
        ("-- name: Claim Job\nSELECT 1", "line 1: name the query in lower case"),
        ("-- name:\nSELECT 1", "line 1: name the query in lower case"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidQueriesError, match=f"^{path}, {message}"):
        load_queries(path)
