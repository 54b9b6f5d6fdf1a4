"""Removes orphans for a test, with what the database knows given as sets."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from worker.registry.orphans import Ask, Known, Orphans, remove_orphans


def knows(
    held: Collection[str] = (),
    registered: Collection[str] = (),
    ended_without_model: Collection[str] = (),
    results: Collection[str] = (),
    asked: list[int] | None = None,
) -> Known:
    """What the database knows. `asked` gets the number of names in each question."""

    def among(known: Collection[str]) -> Ask:
        async def ask(names: Sequence[str]) -> set[str]:
            if asked is not None:
                asked.append(len(names))
            return {name for name in names if name in known}

        return ask

    return Known(*map(among, (held, registered, ended_without_model, results)))


async def remove_all(models: Path, now: datetime, known: Known) -> Orphans:
    """Do all steps, and return what they removed and left."""
    every = Orphans([], [])
    async for orphans in remove_orphans(models, now, known):
        every.removed.extend(orphans.removed)
        every.left.extend(orphans.left)
    return every
