"""The same photos and seed give the same model, whatever the number of cores; in real processes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.backbones import BOTH, backbone_of
from worker.daemon.child_process import thread_settings
from worker.features.scratch import Scratch

PHOTOS, PRODUCTS, VIEWS, EPOCHS = 48, 6, 2, 2
HELD_OUT = np.arange(0, PHOTOS, 4)
# The rounding of a weight near 1, which is 1e-7, a few times. One that is shared out among two threads
# instead of one moves weights a hundred times as far within these steps.
TOLERANCE = 1e-6

Model = dict[str, npt.NDArray[np.float32]]
"""Weights of the layers and the head by their names, `features` and `logits` of the photos held out, and
the features of the first `few` of them when the others were not asked for."""

Models = dict[str, Model]


def draw_activations(shape: tuple[int, int, int]) -> tuple[Scratch, npt.NDArray[np.int64]]:
    """Inputs of the tail, of that shape: noise around a mean for each product, with the products' numbers."""
    random = np.random.default_rng(0)
    labels = np.arange(PHOTOS) % PRODUCTS
    means = random.normal(size=(PRODUCTS, 1, *shape))
    activations = Scratch(PHOTOS, (VIEWS, *shape), np.float16)
    for photo, label in enumerate(labels):
        activations.write(photo, means[label] + random.normal(size=(VIEWS, *shape)))
    return activations, labels


def train_on(name: str, cores: int, seeds: list[int], folder: Path) -> None:
    """Train as the training child would that may use so many cores, with a thread for each on any machine."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ.update(thread_settings() | {"TF_NUM_INTEROP_THREADS": str(cores)})
    from worker.training.fine_tune import Tuner

    backbone = backbone_of(name, Path(os.environ["CACHE_PATH"]))
    activations, labels = draw_activations(backbone.architecture.tail_input)
    tuner = Tuner(backbone.architecture, backbone.layers, activations, labels)
    for turn, seed in enumerate(seeds):
        tuned = tuner.run(np.delete(np.arange(PHOTOS), HELD_OUT), epochs=EPOCHS, seed=seed)
        assert tuned
        arrays = {
            f"{name}/{part}": array
            for name, layer in tuned.tail.items()
            for part, array in vars(layer).items()
        }
        few, features = (tuner.features(activations, rows) for rows in (HELD_OUT[:5], HELD_OUT))
        seen = {"few": few, "features": features}
        np.savez(folder / f"{turn}.npz", allow_pickle=False, **arrays, **seen)


@pytest.fixture(scope="module", params=BOTH)
def models(request: pytest.FixtureRequest, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """What processes trained: on one core; on two, and there again, and then with another seed."""
    backbone_of(request.param, cache)
    plans = {"1": ["0"], "2": ["0", "0", "1"]}
    folders = {cores: tmp_path_factory.mktemp(f"cores-{cores}-") for cores in plans}
    processes = [
        subprocess.Popen([sys.executable, "-m", __name__, request.param, cores, str(folders[cores]), *seeds])
        for cores, seeds in plans.items()
    ]
    assert [process.wait() for process in processes] == [0, 0]
    places = {"one core": ("1", 0), "two cores": ("2", 0), "again": ("2", 1), "another seed": ("2", 2)}
    return {name: dict(np.load(folders[cores] / f"{turn}.npz")) for name, (cores, turn) in places.items()}


def farthest(one: Model, other: Model) -> float:
    """The largest difference of any weight or feature."""
    assert one.keys() == other.keys()
    return max(float(np.abs(array - other[name]).max()) for name, array in one.items())


def test_one_core_and_two_train_the_same_model(models: Models) -> None:
    assert farthest(models["one core"], models["two cores"]) <= TOLERANCE


def test_a_seed_trains_the_same_model_twice(models: Models) -> None:
    assert farthest(models["two cores"], models["again"]) == 0


def test_another_seed_trains_another_model(models: Models) -> None:
    assert farthest(models["two cores"], models["another seed"]) > 100 * TOLERANCE


def test_features_of_a_photo_do_not_depend_on_the_others(models: Models) -> None:
    np.testing.assert_array_equal(models["two cores"]["few"], models["two cores"]["features"][:5])


if __name__ == "__main__":
    train_on(sys.argv[1], int(sys.argv[2]), [int(seed) for seed in sys.argv[4:]], Path(sys.argv[3]))
