"""Trains the backbone's tail together with a head, on activations that the frozen trunk left behind."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from worker.backbone.layers import FEATURES, TAIL, Layer, Layers
from worker.backbone.network import features
from worker.training.heads import Head
from worker.training.scratch import Scratch

BATCH = 32
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

    def logits(self, activations: Scratch, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Of the first view of photos: float32 `[len(rows), products]`."""
        run = tf.function(features, reduce_retracing=True)
        tensors = _variables(self.tail)
        parts = [
            self.head.logits(run(tensors, tf.constant(chunk[:, 0].astype(np.float32))).numpy())
            for chunk in activations.chunks(rows, BATCH)
        ]
        return np.concatenate(parts)


def fine_tune(
    tail: Layers,
    activations: Scratch,
    labels: Labels,
    rows: npt.NDArray[np.int64],
    *,
    epochs: int,
    seed: int,
    seconds: float = math.inf,
    on_start: Callable[[], None] = lambda: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Tuned | None:
    """Train on photos `rows`, a random view of each in an epoch; `None` where `seconds` are too few for it.

    `on_start` is told when the graph is compiled, which takes a second or two.

    Adam with cosine decay, label smoothing (Szegedy et al., CVPR 2016), and logits adjusted by how frequent
    a product is, so that one with few photos is an answer as likely as another (Menon et al., ICLR 2021).
    """
    deadline = time.monotonic() + seconds
    keras.utils.set_random_seed(seed)
    products = int(labels.max()) + 1
    random = np.random.default_rng(seed)
    layers = _variables({name: tail[name] for name in TAIL})
    kernel = tf.Variable(np.zeros((FEATURES, products), np.float32))
    bias = tf.Variable(np.zeros(products, np.float32))
    learning = [
        (LEARNING_RATE, [value for layer in layers.values() for value in layer]),
        (HEAD_LEARNING_RATE, [kernel, bias]),
    ]
    optimizers = [keras.optimizers.Adam(rate) for rate, _ in learning]
    for optimizer, (_, variables) in zip(optimizers, learning, strict=True):
        optimizer.build(variables)
    counts = np.bincount(labels[rows], minlength=products)
    frequency = tf.constant(np.log(np.maximum(counts, 0.5) / counts.sum()), tf.float32)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, *activations.shape[2:]], tf.float16),
            tf.TensorSpec([None], tf.int64),
        ]
    )
    def step(entering: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
        targets = tf.one_hot(answers, products) * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / products
        with tf.GradientTape() as tape:
            logits = features(layers, tf.cast(entering, tf.float32)) * FEATURE_SCALE @ kernel + bias
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits + frequency)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, [variables for _, variables in learning])
        for optimizer, slopes, (_, variables) in zip(optimizers, gradients, learning, strict=True):
            optimizer.apply_gradients(zip(slopes, variables, strict=True))
        return loss

    steps = max(MIN_STEPS, -(-len(rows) // BATCH))
    least = min(LEAST_EPOCHS, epochs)
    done, measured_from = 0, 0.0
    epoch = 0
    while epoch < epochs:
        order = np.concatenate([random.permutation(rows) for _ in range(-(-steps * BATCH // len(rows)))])
        losses = []
        for start in range(0, steps * BATCH, BATCH):
            for optimizer, (rate, _) in zip(optimizers, learning, strict=True):
                optimizer.learning_rate.assign(rate * (1 + np.cos(np.pi * done / (epochs * steps))) / 2)
            chosen = order[start : start + BATCH]
            seen = activations.read_at(chosen, random.integers(activations.shape[1], size=len(chosen)))
            losses.append(float(step(seen, labels[chosen])))
            done += 1
            # The first steps compile the graph and warm up; the next ones tell how many epochs there is time for.
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
    learnt = {name: Layer(*(value.numpy() for value in layer)) for name, layer in layers.items()}
    return Tuned(learnt, Head(kernel.numpy() * FEATURE_SCALE, bias.numpy()), epochs)


def _variables(layers: Layers) -> dict[str, tuple[tf.Variable, tf.Variable]]:
    return {name: (tf.Variable(layer.kernel), tf.Variable(layer.bias)) for name, layer in layers.items()}
