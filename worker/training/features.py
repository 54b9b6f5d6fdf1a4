"""The frozen backbone's features of every photo, computed once."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from worker.training.build_model import Backbone
from worker.training.prepare_dataset import Dataset

Features = npt.NDArray[np.float32]
BATCH = 32


def compute_features(dataset: Dataset, backbone: Backbone, step: Callable[[int], None]) -> Features:
    """Features float32 `[photos, 1280]` in the order of `dataset`; `step` is told how many are done."""

    def forward(pixels: tf.Tensor) -> tf.Tensor:
        return backbone.model(tf.cast(pixels, tf.float32) / 127.5 - 1.0, training=False)

    compiled = tf.function(forward, reduce_retracing=True)
    computed: list[Features] = []
    done = 0
    for pixels in dataset.batches(BATCH):
        computed.append(compiled(pixels).numpy())
        done += len(pixels)
        step(done)
    return np.concatenate(computed)
