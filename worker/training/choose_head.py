"""Which head, and how strong its regularisation: what is best out of fold, on photos that did not train it."""

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular

from worker.training.folds import FOLDS, Labels
from worker.training.heads import Floats, Head, Moments, discriminant, log_loss
from worker.training.scratch import Scratch

SHRINKAGES = (0.1, 0.3, 0.6, 1.0)
MEASURED_AT_MOST = 10_000
CHUNK = 256
RIDGE = 1e-9

TEMPERATURES = np.geomspace(0.02, 5.0, 60)


@dataclass(frozen=True)
class OutOfFold:
    """Of photos at `places`, float32 logits `[photos, products]` by a head that none of their group trained."""

    places: npt.NDArray[np.int64]
    logits: Floats
    labels: Labels

    def at(self, places: npt.NDArray[np.int64]) -> "OutOfFold":
        """Those of the photos at `places`."""
        kept = np.isin(self.places, places)
        return OutOfFold(self.places[kept], self.logits[kept], self.labels[kept])

    @property
    def top1(self) -> float:
        return float((self.logits.argmax(axis=1) == self.labels).mean()) if len(self.labels) else 0.0


@dataclass(frozen=True)
class Chosen:
    """A head fitted on every photo, with the shrinkage that was best out of fold, and what it was right on."""

    head: Head
    shrinkage: float
    measured: OutOfFold


def choose_head(
    features: Scratch, labels: Labels, folds: Labels, step: Callable[[float], None] = lambda share: None
) -> Chosen:
    """Fit on all views, measure on the first, which is what a browser sees; `step` hears of shares done.

    `features` are float16 `[photos, views, n]`; `folds` as `assign_folds` gives them. Where nothing can be
    measured the middle shrinkage is taken.
    """
    space = _Space.of(features)
    products = int(labels.max()) + 1
    parts = {
        int(fold): space.moments(labels, np.flatnonzero(folds == fold), products) for fold in np.unique(folds)
    }
    total = sum_of(list(parts.values()))
    measured = _sample(folds)
    by_shrinkage: dict[float, list[Floats]] = {shrinkage: [] for shrinkage in SHRINKAGES}
    places: list[npt.NDArray[np.int64]] = []
    for fold in [fold for fold in parts if fold >= 0]:
        held_out = measured[folds[measured] == fold]
        first_views = space.first_views(held_out)
        places.append(held_out)
        for shrinkage, logits in by_shrinkage.items():
            logits.append(space.fit(total - parts[fold], shrinkage).logits(first_views))
        step((fold + 1) / (FOLDS + 1))
    if not places:
        nothing = OutOfFold(np.zeros(0, np.int64), np.zeros((0, products), np.float32), np.zeros(0, np.int64))
        return Chosen(space.lift(space.fit(total, SHRINKAGES[1])).bounded(), SHRINKAGES[1], nothing)
    at = np.concatenate(places)
    outcomes = {
        shrinkage: OutOfFold(at, np.concatenate(logits), labels[at])
        for shrinkage, logits in by_shrinkage.items()
    }
    # Where two are right equally often the more regularised one is less likely to be so by chance.
    best = max(SHRINKAGES, key=lambda shrinkage: (outcomes[shrinkage].top1, shrinkage))
    factor = 1 / temperature(outcomes[best])
    chosen = OutOfFold(at, outcomes[best].logits * np.float32(factor), labels[at])
    return Chosen(space.lift(space.fit(total, best)).scaled(factor).bounded(), best, chosen)


@dataclass(frozen=True)
class _Space:
    """Features in coordinates that suit their number: few examples span a small part of the space, and
    solving for a head there is exact and takes a fraction of the time. `basis` is `[features, span]`."""

    features: Scratch
    basis: Floats | None

    @classmethod
    def of(cls, features: Scratch) -> "_Space":
        photos, views, size = features.shape
        if photos * views >= size:
            return cls(features, None)
        examples = features.read(np.arange(photos)).reshape(-1, size).astype(np.float64)
        # Gram-Schmidt by Cholesky, a tenth of a QR's time; the ridge is for copies of one photo.
        gram = examples @ examples.T
        gram[np.diag_indices(len(gram))] += RIDGE * np.trace(gram) / len(gram)
        basis = solve_triangular(cholesky(gram, lower=True), examples, lower=True).T
        return cls(features, basis.astype(np.float32))

    def _coordinates(self, examples: npt.NDArray[np.float16]) -> Floats:
        values: Floats = examples.astype(np.float32)
        return values if self.basis is None else values @ self.basis

    def first_views(self, rows: npt.NDArray[np.int64]) -> Floats:
        return self._coordinates(self.features.read_at(rows, np.zeros_like(rows)))

    def moments(self, labels: Labels, rows: npt.NDArray[np.int64], products: int) -> Moments:
        views, size = self.features.shape[1:]
        parts = (
            Moments.of(
                self._coordinates(self.features.read(part).reshape(-1, size)),
                np.repeat(labels[part], views),
                products,
            )
            for part in np.array_split(rows, -(-len(rows) // CHUNK))
        )
        return sum_of(parts)

    def fit(self, moments: Moments, shrinkage: float) -> Head:
        return discriminant(moments, shrinkage, dimensions=self.features.shape[2])

    def lift(self, head: Head) -> Head:
        """The same head on the features themselves."""
        return head if self.basis is None else Head(self.basis @ head.kernel, head.bias)


def temperature(measured: OutOfFold) -> float:
    """What to divide logits by so that probabilities are true (Guo et al., ICML 2017)."""
    losses = [log_loss(measured.logits / np.float32(divisor), measured.labels) for divisor in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def sum_of(parts: Iterable[Moments]) -> Moments:
    return reduce(operator.add, parts)


def _sample(folds: Labels) -> npt.NDArray[np.int64]:
    """Places of the photos that measure: all of them, or so many that more would tell nothing new."""
    places = np.flatnonzero(folds >= 0)
    if len(places) <= MEASURED_AT_MOST:
        return places
    return np.sort(np.random.default_rng(0).choice(places, MEASURED_AT_MOST, replace=False))
