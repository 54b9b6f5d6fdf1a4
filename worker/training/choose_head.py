"""Which head, and how strong its regularisation: what is best out of fold, on photos that did not train it."""

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize_scalar

from worker.features.scratch import Scratch
from worker.training.folds import FOLDS, HELD_OUT, Labels
from worker.training.heads import NEVER, Floats, Head, Moments, discriminant, log_loss
from worker.training.out_of_distribution import Seen, learn_familiarity

SHRINKAGES = (0.1, 0.3, 0.6, 1.0)
MEASURED_AT_MOST = 10_000
LEFT_OUT_AT_MOST = 2_000
# Products are left out in so many parts, to see what a model says of products that it does not know.
PARTS = 4
LEAST_PRODUCTS = 2
CHUNK = 256
RIDGE = 1e-9

PESSIMISM = 0.7
"""Of the temperature that suits out of fold, what suits a model that all photos have trained: it is right more
often, on photos of other days too, than those that lacked whole occasions. (Measured: docs/performance.md.)"""

TEMPERATURES = (0.02, 1_000.0)


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

    def among(self, known: npt.NDArray[np.bool_]) -> "OutOfFold":
        """Those of the photos of the products `known`, bool `[products]`, which alone are outputs and labels."""
        kept = known[self.labels]
        labels = (np.cumsum(known) - 1)[self.labels[kept]]
        return OutOfFold(self.places[kept], self.logits[kept][:, known], labels)

    def among_all(self, known: npt.NDArray[np.bool_]) -> "OutOfFold":
        """The other way round: outputs and labels of all products, of which only those `known` are answers."""
        logits = np.full((len(self.labels), len(known)), NEVER, np.float32)
        logits[:, known] = self.logits
        return OutOfFold(self.places, logits, np.flatnonzero(known)[self.labels])

    def replaced(self, other: "OutOfFold") -> "OutOfFold":
        """With what `other` says of the photos that it has."""
        kept = ~np.isin(self.places, other.places)
        return OutOfFold(
            np.concatenate([self.places[kept], other.places]),
            np.concatenate([self.logits[kept], other.logits]),
            np.concatenate([self.labels[kept], other.labels]),
        )

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = self.logits.argmax(axis=1) == self.labels
        return found

    @property
    def top1(self) -> float:
        return float(self.right.mean()) if len(self.labels) else 0.0

    @property
    def scores(self) -> Floats:
        """How much each photo looks like one of ours."""
        highest: Floats = self.logits.max(axis=1)
        return highest


@dataclass(frozen=True)
class Chosen:
    """A head fitted on every photo, with the shrinkage that was best out of fold, and what it was right on.

    `trial` is the head that the photos of the fold HELD_OUT did not train, `None` where there are none. `near`
    and `far`: scores of photos of products that were left out, and of `negatives`.
    """

    head: Head
    shrinkage: float
    measured: OutOfFold
    trial: Head | None
    near: Floats
    far: Floats


def choose_head(
    features: Scratch,
    labels: Labels,
    folds: Labels,
    negatives: Floats,
    step: Callable[[float], None] = lambda share: None,
) -> Chosen:
    """Fit on all views, measure on the first, which is what a browser sees; `step` hears of shares done.

    `features` are float16 `[photos, views, n]`; `folds` as `assign_folds` gives them; `negatives` float32
    `[others, n]`, the features of things that are no products. Where nothing can be measured the middle
    shrinkage is taken.
    """
    space = _Space.of(features)
    products = int(labels.max()) + 1
    parts = {
        int(fold): space.moments(labels, np.flatnonzero(folds == fold), products) for fold in np.unique(folds)
    }
    total = sum_of(list(parts.values()))
    measured = _sample(folds)
    by_shrinkage: dict[float, list[Floats]] = {shrinkage: [] for shrinkage in SHRINKAGES}
    trials: dict[float, Head] = {}
    places: list[npt.NDArray[np.int64]] = []
    for fold in [fold for fold in parts if fold >= 0]:
        held_out = measured[folds[measured] == fold]
        first_views = space.first_views(held_out)
        places.append(held_out)
        for shrinkage, logits in by_shrinkage.items():
            head = space.fit(total - parts[fold], shrinkage)
            logits.append(head.logits(first_views))
            if fold == HELD_OUT:
                trials[shrinkage] = head
        step((fold + 1) / (FOLDS + 2))
    if not places:
        nothing, none = np.zeros((0, products), np.float32), np.zeros(0, np.float32)
        out_of_fold = OutOfFold(np.zeros(0, np.int64), nothing, np.zeros(0, np.int64))
        head = space.lift(space.fit(total, SHRINKAGES[1])).bounded()
        return Chosen(head, SHRINKAGES[1], out_of_fold, None, none, none)
    at = np.concatenate(places)
    outcomes = {
        shrinkage: OutOfFold(at, np.concatenate(logits), labels[at])
        for shrinkage, logits in by_shrinkage.items()
    }
    # Where two are right equally often the more regularised one is less likely to be so by chance.
    best = max(SHRINKAGES, key=lambda shrinkage: (outcomes[shrinkage].top1, shrinkage))
    factor = 1 / (PESSIMISM * temperature(outcomes[best]))
    calibrated = outcomes[best].logits * np.float32(factor)
    head = space.fit(total, best).scaled(factor)
    trial = trials[best].scaled(factor) if trials else None
    mean = total.sums.sum(axis=0) / total.counts.sum()
    ours = Seen(calibrated.max(axis=1), space.first_views(at) @ mean)
    near = _left_out(space, total, labels, np.sort(at), best, factor)
    others = space.coordinates(negatives)
    far = Seen(head.logits(others).max(axis=1), others @ mean)
    # Every second one is kept to measure on.
    familiarity = learn_familiarity(ours, near, far[::2])
    return Chosen(
        head=space.lift(familiarity.added(head, mean)).bounded(),
        shrinkage=best,
        measured=OutOfFold(at, calibrated + familiarity.of(ours.familiar)[:, None], labels[at]),
        trial=trial and space.lift(familiarity.added(trial, mean)).bounded(),
        near=familiarity.scores(near),
        far=familiarity.scores(far[1::2]),
    )


def _left_out(
    space: "_Space",
    total: Moments,
    labels: Labels,
    rows: npt.NDArray[np.int64],
    shrinkage: float,
    factor: float,
) -> Seen:
    """What heads say of photos, of those at `rows`, whose products they do not know."""
    products = len(total.counts)
    part_of = np.arange(products) % PARTS
    highest, familiar = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    for part in range(PARTS):
        unknown = part_of == part
        mine = rows[unknown[labels[rows]]]
        if not len(mine) or products - unknown.sum() < LEAST_PRODUCTS:
            continue
        mine = mine[:: -(-len(mine) * PARTS // LEFT_OUT_AT_MOST)]
        known = total - space.moments(labels, np.flatnonzero(unknown[labels]), products)
        first_views = space.first_views(mine)
        logits = space.fit(known, shrinkage).scaled(factor).logits(first_views)
        highest.append(logits[:, ~unknown].max(axis=1))
        familiar.append(first_views @ (known.sums.sum(axis=0) / known.counts.sum()))
    return Seen(np.concatenate(highest), np.concatenate(familiar))


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

    def coordinates(self, examples: npt.NDArray[np.floating]) -> Floats:
        values: Floats = examples.astype(np.float32)
        return values if self.basis is None else values @ self.basis

    def first_views(self, rows: npt.NDArray[np.int64]) -> Floats:
        return self.coordinates(self.features.read_at(rows, np.zeros_like(rows)))

    def moments(self, labels: Labels, rows: npt.NDArray[np.int64], products: int) -> Moments:
        views, size = self.features.shape[1:]
        parts = (
            Moments.of(
                self.coordinates(self.features.read(part).reshape(-1, size)),
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
    """What to divide logits by so that the published model's probabilities are true (Guo et al., ICML 2017)."""

    def loss(logarithm: float) -> float:
        return log_loss(measured.logits / np.float32(np.exp(logarithm)), measured.labels)

    # It has one minimum: the loss is convex in the inverse.
    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x))


def sum_of(parts: Iterable[Moments]) -> Moments:
    return reduce(operator.add, parts)


def _sample(folds: Labels) -> npt.NDArray[np.int64]:
    """Places of the photos that measure: all of them, or so many that more would tell nothing new."""
    places = np.flatnonzero(folds >= 0)
    if len(places) <= MEASURED_AT_MOST:
        return places
    return np.sort(np.random.default_rng(0).choice(places, MEASURED_AT_MOST, replace=False))
