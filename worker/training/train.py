"""Stage 4: the head, a softmax regression on the backbone's features."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from worker.training.features import Features
from worker.training.job import Accuracy

BATCH = 32
# 15 passes over 75 photos would be 45 steps, too few to converge: a small set is gone through more often.
MIN_STEPS = 20
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-3
LABEL_SMOOTHING = 0.1


@dataclass(frozen=True)
class Examples:
    """Features float32 `[photos, 1280]` and, for each, its product's place, int64 `[photos]`."""

    features: Features
    labels: npt.NDArray[np.int64]

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Examples":
        return Examples(self.features[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Head:
    """Logits are `features @ kernel + bias`; float32 `[1280, products]` and `[products]`."""

    kernel: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def logits(self, features: Features) -> npt.NDArray[np.float32]:
        return features @ self.kernel + self.bias


@dataclass(frozen=True)
class Epoch:
    """One pass over the photos; `accuracy` is that of the held-out ones, `None` where there are none."""

    number: int
    of: int
    loss: float
    accuracy: float | None


@dataclass(frozen=True)
class Trained:
    """The head that is published, and how good one was that had learnt the same way from fewer photos."""

    head: Head
    accuracy: Accuracy


def train(
    examples: Examples,
    held_out: npt.NDArray[np.bool_],
    *,
    epochs: int,
    seed: int,
    on_epoch: Callable[[Epoch], None],
) -> Trained:
    """Measure on the held-out photos what the others teach, then learn from all of them.

    `held_out` is bool `[photos]`; `on_epoch` hears of the epochs of the head that is measured.
    """
    products = int(examples.labels.max()) + 1
    learning, measuring = examples.where(~held_out), examples.where(held_out)
    measured = fit_head(learning, products, epochs, seed, measuring, on_epoch)
    published = fit_head(examples, products, epochs, seed)
    return Trained(published, measure(measured, measuring))


def fit_head(
    examples: Examples,
    products: int,
    epochs: int,
    seed: int,
    measuring: Examples | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Head:
    """Fit a head to `examples`; those of `measuring` are looked at after each epoch, and never learnt."""
    keras.utils.set_random_seed(seed)
    mean, spread = examples.features.mean(axis=0), examples.features.std(axis=0) + 1e-3
    steps = max(MIN_STEPS, -(-len(examples.labels) // BATCH))
    model = keras.Sequential(
        [keras.Input(mean.shape), keras.layers.Dense(products, kernel_initializer="zeros")]
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * steps), weight_decay=WEIGHT_DECAY
        ),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING),
        metrics=["accuracy"],
    )

    def tensors(examples: Examples) -> tf.data.Dataset:
        one_hot = np.eye(products, dtype=np.float32)[examples.labels]
        return tf.data.Dataset.from_tensor_slices(((examples.features - mean) / spread, one_hot))

    def epoch_ended(epoch: int, logs: dict[str, float]) -> None:
        accuracy = logs.get("val_accuracy")
        on_epoch(Epoch(epoch + 1, epochs, logs["loss"], None if accuracy is None else round(accuracy, 4)))

    model.fit(
        tensors(examples).shuffle(len(examples.labels), seed=seed).repeat().batch(BATCH),
        epochs=epochs,
        steps_per_epoch=steps,
        validation_data=tensors(measuring).batch(512) if measuring and len(measuring.labels) else None,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=epoch_ended)],
        shuffle=False,  # the data set shuffles itself
        verbose=0,
    )
    kernel, bias = model.get_weights()
    folded = kernel / spread[:, None]
    return Head(folded.astype(np.float32), (bias - mean @ folded).astype(np.float32))


def measure(head: Head, examples: Examples) -> Accuracy:
    """How often `head` is right about photos that it did not learn from."""
    if not len(examples.labels):
        return Accuracy(None, None, 0, 0)
    guesses = np.argsort(-head.logits(examples.features), axis=1)
    right = guesses == examples.labels[:, None]
    return Accuracy(
        top1=round(float(right[:, 0].mean()), 4),
        top3=round(float(right[:, :3].any(axis=1).mean()), 4),
        photos=len(examples.labels),
        products=len(np.unique(examples.labels)),
    )
