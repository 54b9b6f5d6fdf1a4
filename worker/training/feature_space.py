"""Coordinates of features in which heads are fitted."""

from dataclasses import dataclass
from functools import cached_property
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
    the time.

    The coordinates of all examples, every view of every photo, are then the rows of `factor` `[examples, examples]`,
    the lower Cholesky factor of their inner products; it is `None` where the features are their own coordinates.
    """

    features: Scratch
    factor: npt.NDArray[np.float64] | None

    @classmethod
    def of(cls, features: Scratch) -> "FeatureSpace":
        """Of features float16 `[photos, views, n]`."""
        photos, views, size = features.shape
        if photos * views >= size:
            return cls(features, None)
        examples = _examples(features, np.arange(photos)).astype(np.float64)
        inner = examples @ examples.T
        # For copies of one photo.
        inner[np.diag_indices(len(inner))] += RIDGE * np.trace(inner) / len(inner)
        return cls(features, cholesky(inner, lower=True, overwrite_a=True))

    @cached_property
    def _coordinates(self) -> Floats | None:
        """Float32 `[photos, views, span]`."""
        if self.factor is None:
            return None
        coordinates: Floats = self.factor.astype(np.float32).reshape(*self.features.shape[:2], -1)
        return coordinates

    def first_views(self, indices: Indices) -> Floats:
        """Coordinates, float32 `[len(indices), span]`, of the whole photos at `indices`, which is what a browser
        sees."""
        views: Floats
        if self._coordinates is None:
            views = self.features.read_at(indices, np.zeros_like(indices)).astype(np.float32)
        else:
            views = self._coordinates[indices, 0]
        return views

    def all_views(self, indices: Indices) -> Floats:
        """Coordinates of every view of the photos at `indices`, one photo's after another's."""
        if self._coordinates is None:
            return _examples(self.features, indices)
        views: Floats = self._coordinates[indices].reshape(-1, self._coordinates.shape[2])
        return views

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
        if self.factor is None:
            return directions
        of_examples = solve_triangular(self.factor, directions.astype(np.float64), lower=True, trans="T")
        examples = _examples(self.features, np.arange(len(self.features)))
        lifted: Floats = examples.T @ of_examples.astype(np.float32)
        return lifted


def _examples(features: Scratch, indices: Indices) -> Floats:
    """Every view of the photos at `indices`, float32 `[photos * views, features]`."""
    examples: Floats = features.read(indices).reshape(-1, features.shape[2]).astype(np.float32)
    return examples
