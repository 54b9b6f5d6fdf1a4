"""Runs two published models on the same photos: those that neither has trained on."""

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from worker.backbone.cache import CompiledBackbone
from worker.catalogue.dataset import Dataset
from worker.catalogue.photo_files import Photo
from worker.cores import usable_cores
from worker.evaluation.gate import compare
from worker.job.job import ActiveModel
from worker.job.promotion import Comparison
from worker.photos.decode import UnreadablePhoto, decode_photo
from worker.pipeline.published_model import METADATA, Predictor, PublishedModel, read_published
from worker.training.folds import Labels

HELD_OUT = "held_out"
"""The folder, in a version's, of a model of the same kind that a part of the photos did not train."""

TRAINED_ON = "trained_on"
DIGITS = 16
"""Of a photo's sha256, enough to tell it from any other."""

COMPARED_AT_MOST = 1_000


class Incomparable(Exception):
    """The active model and the new one cannot be compared; the message says why in a sentence."""


def compare_published(
    folder: Path,
    active: ActiveModel,
    dataset: Dataset,
    groups: Labels,
    held_out: Labels,
    backbone: CompiledBackbone,
) -> Comparison:
    """Compare the model published in `folder` with the active one, by their files.

    Of both it is the one in HELD_OUT that is asked, about photos at `held_out`, places in `dataset`, that the
    active one has not trained on either, and of products that both know. `groups` `[photos]` are those taken
    together. Raises Incomparable.
    """
    try:
        read_published(active.folder, backbone)
        theirs = read_published(active.folder / HELD_OUT, backbone)
        known = set(json.loads((active.folder / HELD_OUT / METADATA).read_bytes())[TRAINED_ON])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Incomparable(
            f"The active model {active.version} could not be read: {_sentence(error)}"
        ) from error
    ours = read_published(folder / HELD_OUT, backbone)
    skus = [photo.product.sku for photo in dataset.photos]
    common = set(ours.labels) & set(theirs.labels)
    places = [
        place
        for place in held_out.tolist()
        if dataset.sha256[place][:DIGITS] not in known and skus[place] in common
    ]
    places = places[:: -(-len(places) // COMPARED_AT_MOST) or 1]
    if len(common) < 2 or not places:
        raise Incomparable(
            f"There is no photo of a product that the active model {active.version} knows too and that neither "
            "has trained on."
        )
    guesses = _guesses([ours, theirs], sorted(common), [dataset.photos[place] for place in places])
    answered = np.array([place for place, guess in zip(places, guesses, strict=True) if guess], np.int64)
    if not len(answered):
        raise Incomparable("The photos that were held out could not be read any more.")
    new, old = np.array([guess for guess in guesses if guess], np.int64).T
    number = {sku: place for place, sku in enumerate(sorted(common))}
    labels = np.array([number[skus[place]] for place in answered], np.int64)
    return compare(labels, new, old, groups[answered])


def _guesses(
    models: Sequence[PublishedModel], common: Sequence[str], photos: Sequence[Photo]
) -> list[tuple[int, ...] | None]:
    """For each photo what each model takes it for, a place in `common`; `None` where it cannot be read."""
    outputs = [[model.labels.index(sku) for sku in common] for model in models]
    mine = threading.local()

    def predictors() -> list[Predictor]:
        if not hasattr(mine, "predictors"):
            mine.predictors = [model.predictor() for model in models]
        found: list[Predictor] = mine.predictors
        return found

    def guess(photo: Photo) -> tuple[int, ...] | None:
        try:
            pixels = decode_photo(photo.path)[None]
        except (FileNotFoundError, UnreadablePhoto):
            return None
        return tuple(
            int(predict(pixels)[0, known].argmax())
            for predict, known in zip(predictors(), outputs, strict=True)
        )

    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="compare") as threads:
        return list(threads.map(guess, photos))


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}."
    return str(error).rstrip(".") + "."
