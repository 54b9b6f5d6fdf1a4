"""Fine-tuning: trains the backbone's tail together with a head, on the outputs of the frozen trunk."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from worker.arrays import Floats, Indices, Labels
from worker.backbone.architecture import Architecture
from worker.backbone.layers import Layer, Layers
from worker.backbone.network import run_tail
from worker.features.scratch import Scratch
from worker.training.heads import Head

BATCH: Final = 32

TOWERS: Final = 4
"""Parts of a batch that are computed in parallel; their number must not depend on that of the cores."""

MIN_STEPS: Final = 6
"""Of an epoch: 12 passes over 75 photos would be 28 steps, too few to converge."""

LEARNING_RATE, HEAD_LEARNING_RATE = 3e-4, 1e-3
LABEL_SMOOTHING: Final = 0.1

FEATURE_SCALE: Final = 16.0
"""Features are square roots of shares, about 0.03 each: a head on them would learn too slowly."""

GOING_ON: Final = 0.3
"""Times the learning rates, for a tail that was trained before."""

LEAST_EPOCHS: Final = 3

WARM_UP, PROBED = 2, 6
"""The first steps compile the graph; the next, up to PROBED, tell how many epochs there is time for."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the photos; `loss` is its mean."""

    number: int
    of: int
    loss: float


@dataclass(frozen=True)
class Tuned:
    """A tail that was trained in `epochs` epochs."""

    tail: Layers
    epochs: int


class Tuner:
    """Trains tail and head from the start, as often as it is asked to; its graph is compiled once.

    Adam with cosine decay, label smoothing (Szegedy et al., CVPR 2016), and logits adjusted by the frequency of each
    product, so that one with few photos is as likely an answer as another (Menon et al., ICLR 2021).

    The same photos and seed give the same weights on any number of cores where TensorFlow computes each
    operation on one thread, TF_NUM_INTRAOP_THREADS=1: a batch is always divided among the same towers, and
    their gradients are added up in one order.
    """

    def __init__(
        self, architecture: Architecture, layers: Layers, tail_inputs: Scratch, labels: Labels
    ) -> None:
        self._architecture = architecture
        self._tail = {name: layers[name] for name in architecture.tail}
        self._tail_inputs = tail_inputs
        self._labels = labels
        self._products = int(labels.max()) + 1
        self._layers = {
            name: (tf.Variable(layer.kernel), tf.Variable(layer.bias)) for name, layer in self._tail.items()
        }
        self._kernel = tf.Variable(np.zeros((architecture.features, self._products), np.float32))
        self._bias = tf.Variable(np.zeros(self._products, np.float32))
        self._log_frequency = tf.Variable(np.zeros(self._products, np.float32), trainable=False)
        self._learning = [
            (LEARNING_RATE, [value for layer in self._layers.values() for value in layer]),
            (HEAD_LEARNING_RATE, [self._kernel, self._bias]),
        ]
        self._optimizers = [keras.optimizers.Adam(rate) for rate, _ in self._learning]
        for optimizer, (_, variables) in zip(self._optimizers, self._learning, strict=True):
            optimizer.build(variables)
        batch, part = (
            (tf.TensorSpec([size, *tail_inputs.shape[2:]], tf.float16), tf.TensorSpec([size], tf.int64))
            for size in (BATCH, BATCH // TOWERS)
        )
        # A tower is compiled once, not once for each part of a batch: jobs would start half a second later.
        own = {"_noinline": True}
        self._tower_gradients = tf.function(
            self._loss_and_gradients, input_signature=part, experimental_attributes=own
        )
        self._tower_features = tf.function(
            self._run_tail, input_signature=part[:1], experimental_attributes=own
        )
        self._step = tf.function(self._train_batch, input_signature=batch)
        self._features = tf.function(self._features_of_batch, input_signature=batch[:1])

    def run(
        self,
        indices: Indices,
        *,
        epochs: int,
        seed: int,
        start: tuple[Layers, Head] | None = None,
        seconds: float = math.inf,
        on_start: Callable[[], None] = lambda: None,
        on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Tuned | None:
        """Train on the photos at `indices`, a random view of each in an epoch; `None` where `seconds` are too few.

        Begins with the backbone's own tail and an empty head, or goes on from the trained ones in `start`, with smaller
        steps.
        `on_start` is called when the graph is compiled, which takes a second or two at the first time.
        """
        deadline = time.monotonic() + seconds
        keras.utils.set_random_seed(seed)
        random = np.random.default_rng(seed)
        self._reset(indices)
        if start:
            self._go_on_from(*start)
        scale = GOING_ON if start else 1.0
        steps = max(MIN_STEPS, -(-len(indices) // BATCH))
        least = min(LEAST_EPOCHS, epochs)
        done, warm_since, epoch = 0, 0.0, 0
        while epoch < epochs:
            losses = []
            for batch in _batches(indices, steps, random):
                self._set_learning_rates(scale, done / (epochs * steps))
                views = random.integers(self._tail_inputs.shape[1], size=len(batch))
                losses.append(float(self._step(self._tail_inputs.read_at(batch, views), self._labels[batch])))
                done += 1
                if done == WARM_UP:
                    warm_since = time.monotonic()
                    on_start()
                elif done == PROBED:
                    each = (time.monotonic() - warm_since) / (PROBED - WARM_UP)
                    epochs = int(min(epochs, (deadline - time.monotonic()) / (each * steps)))
                    if epochs < least:
                        return None
            epoch += 1
            on_epoch(Epoch(epoch, epochs, float(np.mean(losses))))
        trained = {name: Layer(*(value.numpy() for value in layer)) for name, layer in self._layers.items()}
        return Tuned(trained, epochs)

    def loaded(self, tail: Layers, epochs: int) -> Tuned:
        """Take `tail`, which was trained before, for the one that was trained last."""
        self._set_tail(tail)
        return Tuned({name: tail[name] for name in self._tail}, epochs)

    def features(self, tail_inputs: Scratch, indices: Indices) -> Floats:
        """Features float32 `[len(indices), features]` of whole photos, by the tail that was trained last."""
        if not len(indices):
            return np.zeros((0, self._architecture.features), np.float32)
        whole = np.zeros(BATCH, np.int64)
        # The last batch is filled up with the first photos: every batch has the same towers.
        batches = np.resize(indices, (-(-len(indices) // BATCH), BATCH))
        found = [self._features(tail_inputs.read_at(batch, whole)).numpy() for batch in batches]
        features: Floats = np.concatenate(found)[: len(indices)]
        return features

    def _reset(self, indices: Indices) -> None:
        """Begin with the backbone's own tail and an empty head, for the photos at `indices`."""
        self._set_tail(self._tail)
        counts = np.bincount(self._labels[indices], minlength=self._products)
        self._log_frequency.assign(np.log(np.maximum(counts, 0.5) / counts.sum()))
        for variable in (self._kernel, self._bias, *(v for each in self._optimizers for v in each.variables)):
            variable.assign(tf.zeros_like(variable))

    def _go_on_from(self, tail: Layers, head: Head) -> None:
        self._set_tail(tail)
        self._kernel.assign(head.kernel / FEATURE_SCALE)
        self._bias.assign(head.bias)

    def _set_tail(self, tail: Layers) -> None:
        for name, variables in self._layers.items():
            for variable, value in zip(variables, (tail[name].kernel, tail[name].bias), strict=True):
                variable.assign(value)

    def _set_learning_rates(self, scale: float, share_done: float) -> None:
        for optimizer, (rate, _) in zip(self._optimizers, self._learning, strict=True):
            optimizer.learning_rate.assign(scale * rate * (1 + np.cos(np.pi * share_done)) / 2)

    def _run_tail(self, tail_inputs: tf.Tensor) -> tf.Tensor:
        return run_tail(self._architecture, self._layers, tf.cast(tail_inputs, tf.float32))

    def _features_of_batch(self, tail_inputs: tf.Tensor) -> tf.Tensor:
        return tf.concat([self._tower_features(part) for part in tf.split(tail_inputs, TOWERS)], 0)

    def _train_batch(self, tail_inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """One step of the optimizers; the batch's mean loss."""
        parts = zip(tf.split(tail_inputs, TOWERS), tf.split(labels, TOWERS), strict=True)
        loss, gradients = tf.nest.map_structure(_sum, *(self._tower_gradients(*part) for part in parts))
        for optimizer, of_optimizer, (_, variables) in zip(
            self._optimizers, gradients, self._learning, strict=True
        ):
            optimizer.apply_gradients(zip(of_optimizer, variables, strict=True))
        return loss

    def _loss_and_gradients(
        self, tail_inputs: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        """A tower's share of the batch's mean loss, and its gradients in the order of `_learning`."""
        targets = tf.one_hot(labels, self._products)
        smooth = targets * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / self._products
        with tf.GradientTape() as tape:
            logits = self._run_tail(tail_inputs) * FEATURE_SCALE @ self._kernel + self._bias
            logits += self._log_frequency
            loss = tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(smooth, logits)) / BATCH
        return loss, tape.gradient(loss, [variables for _, variables in self._learning])


def _batches(indices: Indices, steps: int, random: np.random.Generator) -> Iterator[Indices]:
    """`steps` batches of the photos in random order, each photo as often as the others or once more."""
    repeats = -(-steps * BATCH // len(indices))
    order = np.concatenate([random.permutation(indices) for _ in range(repeats)])
    return (order[start : start + BATCH] for start in range(0, steps * BATCH, BATCH))


def _sum(*parts: tf.Tensor) -> tf.Tensor:
    """Their sum, in this order: TensorFlow makes one AddN of several additions, which may begin with any."""
    return tf.reduce_sum(tf.stack(parts), 0)
