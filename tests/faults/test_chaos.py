"""A short chaos run: workers are killed and suspended, Postgres restarts and crashes, and nothing is lost."""

from pathlib import Path

from tests.faults.chaos import run


def test_nothing_is_lost_while_workers_and_postgres_are_killed(tmp_path: Path) -> None:
    outcome = run(seconds=20, jobs=30, crew=3, folder=tmp_path)
    assert not outcome.losses, "\n".join(outcome.losses)
    assert outcome.figures["Postgres restarts"] == 3
    assert outcome.figures["workers of the version before, beside today's schema"]
    assert outcome.figures["completions"] == outcome.figures["jobs"]
