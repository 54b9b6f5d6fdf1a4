"""Compares two published models on the same photos, which neither has trained on."""

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from worker.arrays import Indices, Labels
from worker.backbone.architectures import ARCHITECTURES
from worker.backbone.backbone import Backbone
from worker.backbone.cache import OnFault, cached_backbone, raise_it
from worker.backbone.weights import pretrained_weights
from worker.catalogue.photo_files import Photo
from worker.cores import usable_cores
from worker.errors import JobError
from worker.evaluation.gate import compare
from worker.features.extraction import Extracted
from worker.job.job import ActiveModel
from worker.job.promotion import Comparison
from worker.photos.augmentation import WHOLE
from worker.photos.decoders import Decoders
from worker.photos.unreadable import UnreadablePhoto
from worker.pipeline.active_metadata import read_active_metadata
from worker.pipeline.published_model import Predictor, PublishedModel, read_published
from worker.registry.folder import METADATA
from worker.training.warm_start import DIGITS

HELD_OUT_FOLDER = "held_out"
"""The folder below a version's, of a model of the same kind that a part of the photos did not train."""

TRAINED_ON, TAIL_TRAINED_ON = "trained_on", "tail_trained_on"
"""Keys of the held-out model's metadata."""

COMPARED_AT_MOST = 1_000

UNREADABLE = -1
"""In the place of a prediction."""


class Incomparable(Exception):
    """The active model and the new one cannot be compared; the message says why in a sentence."""


def compare_published(
    folder: Path,
    active: ActiveModel,
    extracted: Extracted,
    groups: Labels,
    held_out: Indices,
    backbone: Backbone,
    cache: Path,
    decoders: Decoders,
    on_fault: OnFault = raise_it,
) -> Comparison:
    """Compare the model published in `folder` with the active one, by their files.

    The held-out models of both answer, to those photos at `held_out`, indices in the dataset, that the active one has
    not trained on either, and that show products which both know. `groups` `[photos]` numbers the photos' groups.
    `backbone` is the new model's, and that of `extracted`; another one, that the active model has, is converted into
    `cache`, CACHE_PATH, as `cached_backbone` does.
    Raises Incomparable.
    """
    old, trained_on = _read_active(active, _backbone_of(active, backbone, cache, on_fault))
    new = read_published(folder / HELD_OUT_FOLDER, backbone)
    dataset = extracted.dataset
    skus = [photo.product.sku for photo in dataset.photos]
    common = sorted(set(new.labels) & set(old.labels))
    indices = [
        index
        for index in held_out.tolist()
        if dataset.sha256[index][:DIGITS] not in trained_on and skus[index] in common
    ]
    indices = indices[:: -(-len(indices) // COMPARED_AT_MOST) or 1]
    if len(common) < 2 or not indices:
        raise Incomparable(
            f"There is no photo of a product that the active model {active.version} knows too and that neither "
            "has trained on."
        )
    predictions = _predictions([new, old], common, extracted, np.array(indices), backbone, decoders)
    is_answered = (predictions != UNREADABLE).all(axis=0)
    if not is_answered.any():
        raise Incomparable("The photos that were held out could not be read any more.")
    answered = np.array(indices)[is_answered]
    labels = np.array([common.index(skus[index]) for index in answered], np.int64)
    of_new, of_old = predictions[:, is_answered]
    return compare(labels, of_new, of_old, groups[answered])


def _backbone_of(active: ActiveModel, backbone: Backbone, cache: Path, on_fault: OnFault) -> Backbone:
    """The active model's, of which only the architecture counts. Raises Incomparable."""
    name = read_active_metadata(active).backbone.architecture
    if name not in ARCHITECTURES or name == backbone.facts.architecture:
        return backbone  # what cannot be read with it is told by its files
    architecture = ARCHITECTURES[name]
    try:
        if weights := pretrained_weights(architecture, cache):
            return cached_backbone(weights, cache, on_fault)
    except (JobError, OSError) as error:
        raise Incomparable(f"{architecture.title}, the active model's backbone, failed: {error}") from error
    raise Incomparable(f"{architecture.title}, the active model's backbone, has no weights on this machine.")


def _read_active(active: ActiveModel, backbone: Backbone) -> tuple[PublishedModel, set[str]]:
    """The active model's held-out one, and the first DIGITS of the photos that trained it. Raises Incomparable."""
    folder = active.folder / HELD_OUT_FOLDER
    try:
        read_published(active.folder, backbone)
        model = read_published(folder, backbone)
        return model, set(json.loads((folder / METADATA).read_bytes())[TRAINED_ON])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Incomparable(
            f"The active model {active.version} could not be read: {_sentence(error)}"
        ) from error


def _predictions(
    models: Sequence[PublishedModel],
    common: Sequence[str],
    extracted: Extracted,
    indices: Indices,
    backbone: Backbone,
    decoders: Decoders,
) -> Labels:
    """Each model's prediction for each photo, `[models, photos]`: an index into `common`, or UNREADABLE.

    The features that were extracted answer for a model whose layers are the backbone's; any other one is run.
    """
    outputs = [[model.labels.index(sku) for sku in common] for model in models]
    predictions = np.empty((len(models), len(indices)), np.int64)
    features = extracted.features.read_at(indices, np.zeros_like(indices))
    running = []
    for number, model in enumerate(models):
        if model.is_frozen_in(backbone):
            predictions[number] = model.head.logits(features)[:, outputs[number]].argmax(axis=1)
        else:
            running.append(number)
    if running:
        photos = [extracted.dataset.photos[index] for index in indices.tolist()]
        asked = [(models[number], outputs[number]) for number in running]
        predictions[running] = np.transpose(_run(asked, photos, decoders))
    return predictions


def _run(
    models: Sequence[tuple[PublishedModel, list[int]]], photos: Sequence[Photo], decoders: Decoders
) -> list[list[int]]:
    """For each photo the place of each model's prediction among the outputs that it is asked for, or UNREADABLE."""
    own = threading.local()

    def predictors() -> list[Predictor]:
        if not hasattr(own, "predictors"):
            own.predictors = [model.predictor() for model, _ in models]
        found: list[Predictor] = own.predictors
        return found

    def predict(photo: Photo) -> list[int]:
        try:
            pixels = decoders.prepare(photo.path, views=[WHOLE]).views
        except (FileNotFoundError, UnreadablePhoto):
            return [UNREADABLE] * len(models)
        return [
            int(predictor(pixels)[0, known].argmax())
            for predictor, (_, known) in zip(predictors(), models, strict=True)
        ]

    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="compare") as threads:
        return list(threads.map(predict, photos))


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}."
    return str(error).rstrip(".") + "."
