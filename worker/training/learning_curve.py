"""How often the published model will be wrong, by a model that lacked some of a product's groups.

Each group of photos shows a product on another occasion, and a product's error falls like one over its groups: a
model that has seen three of four groups of it is wrong in four photos where one that has seen all is wrong in three.
(Measured: docs/performance.md.)
"""

import numpy as np

from worker.arrays import Floats, Labels, Mask


def error_shares(labels: Labels, groups: Labels, left_out: Mask | None = None) -> Floats:
    """Of a wrong answer to each photo: how likely the published model is wrong, too, float32 `[photos]`.

    `labels` and `groups` are `[photos]`. The model that answered lacked the photo's own group or, with `left_out`,
    bool `[photos]`, every group with one of these photos. That is the share of the product's groups that trained it.
    """
    products = int(labels.max()) + 1
    groups_of = _groups_of(labels, groups, products)
    lacking = (
        np.ones(products) if left_out is None else _groups_of(labels[left_out], groups[left_out], products)
    )
    shares: Floats = ((groups_of - lacking) / np.maximum(groups_of, 1)).astype(np.float32)[labels]
    return shares


def _groups_of(labels: Labels, groups: Labels, products: int) -> Labels:
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    return np.bincount(pairs[0], minlength=products)
