"""Trains the backbone's tail together with a head, on activations that the frozen trunk left behind."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from worker.backbone.architecture import FEATURES, TAIL, Layer, Layers
from worker.backbone.network import features
from worker.features.scratch import Scratch
from worker.training.heads import Head

BATCH = 32
# Parts of a batch that are computed beside each other. Their number must not depend on that of the cores.
TOWERS = 4
# 12 passes over 75 photos would be 28 steps, too few to converge: a small set is gone through more often.
MIN_STEPS = 6
LEARNING_RATE, HEAD_LEARNING_RATE = 3e-4, 1e-3
LABEL_SMOOTHING = 0.1
# Features are square roots of shares, about 0.03 each: a head on them would learn too slowly.
FEATURE_SCALE = 16.0

LEAST_EPOCHS = 3
# Steps between which the speed is measured.
PROBE = (2, 6)

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Epoch:
    """One pass over the photos."""

    number: int
    of: int
    loss: float


@dataclass(frozen=True)
class Tuned:
    """A tail and the head that was trained on its features, in so many epochs."""

    tail: Layers
    head: Head
    epochs: int


class Tuner:
    """Trains tail and head from the start, as often as it is asked to; its graph is compiled once.

    Adam with cosine decay, label smoothing (Szegedy et al., CVPR 2016), and logits adjusted by how frequent
    a product is, so that one with few photos is an answer as likely as another (Menon et al., ICLR 2021).

    The same photos and seed give the same weights on any number of cores where TensorFlow computes each
    operation on one thread, TF_NUM_INTRAOP_THREADS=1: a batch is always shared out among the same towers, and
    what they found is added up in one order.
    """

    def __init__(self, tail: Layers, activations: Scratch, labels: Labels) -> None:
        self._tail = {name: tail[name] for name in TAIL}
        self._activations = activations
        self._labels = labels
        self._products = int(labels.max()) + 1
        self._layers = {
            name: (tf.Variable(layer.kernel), tf.Variable(layer.bias)) for name, layer in self._tail.items()
        }
        self._kernel = tf.Variable(np.zeros((FEATURES, self._products), np.float32))
        self._bias = tf.Variable(np.zeros(self._products, np.float32))
        self._frequency = tf.Variable(np.zeros(self._products, np.float32), trainable=False)
        self._learning = [
            (LEARNING_RATE, [value for layer in self._layers.values() for value in layer]),
            (HEAD_LEARNING_RATE, [self._kernel, self._bias]),
        ]
        self._optimizers = [keras.optimizers.Adam(rate) for rate, _ in self._learning]
        for optimizer, (_, variables) in zip(self._optimizers, self._learning, strict=True):
            optimizer.build(variables)
        batch, part = (
            (tf.TensorSpec([size, *activations.shape[2:]], tf.float16), tf.TensorSpec([size], tf.int64))
            for size in (BATCH, BATCH // TOWERS)
        )
        # A tower is compiled once, not once for each part of a batch: jobs would start half a second later.
        own = {"_noinline": True}
        self._part_slopes = tf.function(self._slopes, input_signature=part, experimental_attributes=own)
        self._part_features = tf.function(self._see, input_signature=part[:1], experimental_attributes=own)
        self._step = tf.function(self._learn, input_signature=batch)
        self._features = tf.function(self._see_all, input_signature=batch[:1])

    def run(
        self,
        rows: npt.NDArray[np.int64],
        *,
        epochs: int,
        seed: int,
        seconds: float = math.inf,
        on_start: Callable[[], None] = lambda: None,
        on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Tuned | None:
        """Train on photos `rows`, a random view of each in an epoch; `None` where `seconds` are too few for it.

        `on_start` is told when the graph is compiled, which takes a second or two at the first time.
        """
        deadline = time.monotonic() + seconds
        keras.utils.set_random_seed(seed)
        random = np.random.default_rng(seed)
        self._begin_again(rows)
        steps = max(MIN_STEPS, -(-len(rows) // BATCH))
        least = min(LEAST_EPOCHS, epochs)
        done, measured_from = 0, 0.0
        epoch = 0
        while epoch < epochs:
            order = np.concatenate([random.permutation(rows) for _ in range(-(-steps * BATCH // len(rows)))])
            losses = []
            for start in range(0, steps * BATCH, BATCH):
                for optimizer, (rate, _) in zip(self._optimizers, self._learning, strict=True):
                    optimizer.learning_rate.assign(rate * (1 + np.cos(np.pi * done / (epochs * steps))) / 2)
                chosen = order[start : start + BATCH]
                views = random.integers(self._activations.shape[1], size=len(chosen))
                seen = self._activations.read_at(chosen, views)
                losses.append(float(self._step(seen, self._labels[chosen])))
                done += 1
                # The first steps compile the graph and warm up; the next tell how many epochs there is time for.
                if done == PROBE[0]:
                    measured_from = time.monotonic()
                    on_start()
                elif done == PROBE[1]:
                    each = (time.monotonic() - measured_from) / (PROBE[1] - PROBE[0])
                    epochs = int(min(epochs, (deadline - time.monotonic()) / (each * steps)))
                    if epochs < least:
                        return None
            epoch += 1
            on_epoch(Epoch(epoch, epochs, float(np.mean(losses))))
        learnt = {name: Layer(*(value.numpy() for value in layer)) for name, layer in self._layers.items()}
        return Tuned(learnt, Head(self._kernel.numpy() * FEATURE_SCALE, self._bias.numpy()), epochs)

    def features(self, activations: Scratch, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """What the tail that was trained last makes of the first views at `rows`: float32 `[len(rows), 2816]`."""
        if not len(rows):
            return np.zeros((0, FEATURES), np.float32)
        first = np.zeros(BATCH, np.int64)
        # The last batch is filled up with photos that were seen before: every batch has the same towers.
        batches = np.resize(rows, (-(-len(rows) // BATCH), BATCH))
        found = [self._features(activations.read_at(batch, first)).numpy() for batch in batches]
        return np.concatenate(found)[: len(rows)]

    def _begin_again(self, rows: npt.NDArray[np.int64]) -> None:
        for name, layer in self._tail.items():
            for variable, value in zip(self._layers[name], (layer.kernel, layer.bias), strict=True):
                variable.assign(value)
        counts = np.bincount(self._labels[rows], minlength=self._products)
        self._frequency.assign(np.log(np.maximum(counts, 0.5) / counts.sum()))
        for variable in (self._kernel, self._bias, *(v for each in self._optimizers for v in each.variables)):
            variable.assign(tf.zeros_like(variable))

    def _see(self, entering: tf.Tensor) -> tf.Tensor:
        return features(self._layers, tf.cast(entering, tf.float32))

    def _see_all(self, entering: tf.Tensor) -> tf.Tensor:
        return tf.concat([self._part_features(part) for part in tf.split(entering, TOWERS)], 0)

    def _answer(self, entering: tf.Tensor) -> tf.Tensor:
        return self._see(entering) * FEATURE_SCALE @ self._kernel + self._bias

    def _learn(self, entering: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
        parts = zip(tf.split(entering, TOWERS), tf.split(answers, TOWERS), strict=True)
        loss, gradients = tf.nest.map_structure(_total, *(self._part_slopes(*part) for part in parts))
        for optimizer, slopes, (_, variables) in zip(
            self._optimizers, gradients, self._learning, strict=True
        ):
            optimizer.apply_gradients(zip(slopes, variables, strict=True))
        return loss

    def _slopes(self, entering: tf.Tensor, answers: tf.Tensor) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        """A part's share of the batch's mean loss, and its gradients in the order of `_learning`."""
        targets = tf.one_hot(answers, self._products)
        smooth = targets * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / self._products
        with tf.GradientTape() as tape:
            logits = self._answer(entering) + self._frequency
            loss = tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(smooth, logits)) / BATCH
        return loss, tape.gradient(loss, [variables for _, variables in self._learning])


def _total(*parts: tf.Tensor) -> tf.Tensor:
    """Their sum, in this order: TensorFlow makes one AddN of several additions, which may begin with any."""
    return tf.reduce_sum(tf.stack(parts), 0)
