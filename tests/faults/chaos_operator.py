"""An operator who is no help, for a chaos run: takes the output away and brings it back, rolls back, and prunes."""

import random
import time
from dataclasses import dataclass, field, replace

from tests.faults.chaos_upgrade import RollingUpgrade
from tests.support.shop import Shop
from tests.support.waiting import wait_until

AWAY_SECONDS = 2.0
KEPT = 10


@dataclass
class UnhelpfulOperator:
    """`pruned` are the versions that were removed; `faults` is what went otherwise than it should."""

    shop: Shop
    upgrade: RollingUpgrade
    outages: int = 0
    rollbacks: int = 0
    pruned: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def disturb(self) -> None:
        """Do one of the three."""
        random.choice((self._unmount, self._roll_back, self._prune))()

    def _unmount(self) -> None:
        models = self.shop.models
        away = models.with_name("away")
        if not models.is_dir():
            return
        models.rename(away)
        time.sleep(AWAY_SECONDS)
        if models.exists():
            self.faults.append(f"while {models} was away, somebody created it")
            return
        away.rename(models)
        self.outages += 1

    def _roll_back(self) -> None:
        # It is refused while no model was active before, or the one that was is pruned.
        self.rollbacks += self._models("rollback")[0] == 0

    def _prune(self) -> None:
        code, output = self._models("prune", "--keep", str(KEPT))
        if code:
            self.faults.append(f"a prune ended with {code}: {output}")
        removed = [line for line in output.splitlines() if line.startswith("Removed ")]
        self.pruned |= {line.removeprefix("Removed ").removesuffix(".") for line in removed}

    def _models(self, *arguments: str) -> tuple[int, str]:
        """Exit status and output of `worker models`."""
        log = self.shop.models.with_name("operator.log")
        log.unlink(missing_ok=True)
        shop = replace(self.shop, code=self.upgrade.operators_code())
        process = shop.worker("models", *arguments, log_file=str(log))
        wait_until(lambda: process.poll() is not None, f"the end of worker models {arguments}")
        return process.returncode, log.read_text()
