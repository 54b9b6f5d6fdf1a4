"""A rolling upgrade, for a chaos run: it begins with workers of the version before, beside their schema."""

from dataclasses import dataclass
from pathlib import Path

from tests.faults.earlier import migrate_as
from tests.support.shop import ROOT, Shop
from worker.database.migrate import MIGRATIONS, migrate

# Of the run.
DUE_SHARE = 0.4
# Of the workers that start beside today's schema, every other one is of the version before, until so many were.
MOST_BESIDE = 4


@dataclass
class RollingUpgrade:
    """`before` is the folder of the earlier worker; `beside` counts how many of it started beside today's schema."""

    shop: Shop
    before: Path
    beside: int = 0
    _is_migrated: bool = False
    _started: int = 0

    def begin(self) -> None:
        """Make the schema of the version before."""
        migrate_as(self.before, self.shop)

    def go_on(self, share: float) -> None:
        """Migrate, in the midst of everything, when this share of the run is over."""
        if share > DUE_SHARE and not self._is_migrated:
            migrate(self.shop.database, MIGRATIONS)
            self._is_migrated = True

    def operators_code(self) -> Path:
        """The sources of the `worker` that fits the schema."""
        return ROOT if self._is_migrated else self.before

    def next_code(self) -> Path:
        """The sources of the next worker to start."""
        if not self._is_migrated:
            return self.before
        self._started += 1
        if self._started % 2 == 0 or self.beside == MOST_BESIDE:
            return ROOT
        self.beside += 1
        return self.before
