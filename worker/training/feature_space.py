"""Coordinates of features in which heads are fitted."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular

from worker.arrays import Floats, Indices, Labels
from worker.cores import map_on_cores
from worker.features.scratch import Scratch
from worker.training.heads import Whitening
from worker.training.moments import Moments, sum_of

# Photos whose moments are computed at once. The sums over them are added in one order, so that the number of cores
# changes nothing.
CHUNK: Final = 256
RIDGE: Final = 1e-9


@dataclass(frozen=True)
class FeatureSpace:
    """Few examples span a small part of the space, and a head that is fitted there is exact and takes a fraction of
    the time. `basis` is `[features, span]`, `None` where the features are their own coordinates."""

    features: Scratch
    basis: Floats | None

    @classmethod
    def of(cls, features: Scratch) -> "FeatureSpace":
        """Of features float16 `[photos, views, n]`."""
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
        """Float32 `[n, span]` of features `[n, features]`."""
        values: Floats = examples.astype(np.float32)
        return values if self.basis is None else values @ self.basis

    def first_views(self, indices: Indices) -> Floats:
        """Coordinates of the whole photos at `indices`, which is what a browser sees."""
        return self.coordinates(self.features.read_at(indices, np.zeros_like(indices)))

    def all_views(self, indices: Indices) -> Floats:
        """Coordinates of every view of the photos at `indices`, one photo's after another's."""
        return self.coordinates(self.features.read(indices).reshape(-1, self.features.shape[2]))

    def moments(self, labels: Labels, indices: Indices, products: int) -> Moments:
        """Of all views of the photos at `indices`."""
        views = self.features.shape[1]

        def of_part(part: Indices) -> Moments:
            return Moments.of(self.all_views(part), np.repeat(labels[part], views), products)

        return sum_of(map_on_cores(of_part, np.array_split(indices, -(-len(indices) // CHUNK))))

    def whitening(self, moments: Moments, shrinkage: float) -> Whitening:
        """In these coordinates."""
        return Whitening.of(moments, shrinkage, dimensions=self.features.shape[2])

    def lift(self, directions: Floats) -> Floats:
        """Directions `[span]` or `[span, n]` in the space of the features: `[features]` or `[features, n]`."""
        return directions if self.basis is None else self.basis @ directions
