"""A training job from its first stage to its last."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from itertools import compress
from threading import Thread

import numpy as np

from worker.backbone.backbone import Backbone
from worker.backbone.usable import usable_backbone
from worker.catalogue.catalogue_photo import CataloguePhoto
from worker.catalogue.dataset import Dataset, prepare_dataset
from worker.catalogue.photo_files import (
    PhotoSet,
    SkippedPhoto,
    fetch_negatives,
    fetch_photos,
    split_catalogue,
)
from worker.features.extraction import Extracted, Extractor
from worker.features.store import FeatureStore
from worker.job.job import Job
from worker.job.outcome import Unchanged
from worker.job.photo_path import PhotoPath
from worker.job.progress import BackboneChosen, FeaturesReady, ModelChosen, Notify, Phase, PhotoSkipped, Stage
from worker.photos.augmentation import WHOLE, view_names
from worker.photos.decoders import Decoders
from worker.photos.decoding_limits import decoding_limits
from worker.pipeline.active_metadata import read_active_metadata
from worker.pipeline.compare import HELD_OUT_FOLDER
from worker.pipeline.estimates import job_seconds
from worker.pipeline.export import export
from worker.pipeline.find_warm_start import find_warm_start
from worker.pipeline.fingerprint import fingerprint
from worker.pipeline.tracker import ProgressTracker, Record
from worker.pipeline.unchanged import is_unchanged
from worker.pipeline.version_files import write_held_out
from worker.pipeline.whole import require_whole
from worker.training.budget import Budget, plan_views
from worker.training.profiles import RECIPES
from worker.training.train import Trained, train

CURRENT_STAGES = {
    Phase.HEAD: "Choosing how products are told apart",
    Phase.STARTUP: "Preparing to fine-tune",
    Phase.TRIAL: "Trying whether fine-tuning makes it better",
    Phase.TUNING: "Fine-tuning",
}


@dataclass(frozen=True)
class Candidate:
    """A trained model whose weights are in the job's folder, and what each stage left of it in memory."""

    job: Job
    backbone: Backbone
    backbone_reason: str
    extracted: Extracted
    negatives: int
    skipped: tuple[SkippedPhoto, ...]
    trained: Trained
    views: int
    fingerprint: str
    record: Record
    tracker: ProgressTracker
    took: timedelta


def train_model(
    job: Job, read_catalogue: Callable[[], Sequence[CataloguePhoto]], notify: Notify
) -> Candidate | Unchanged:
    """Train on the catalogue's photos and write the model's weights; `notify` is called at every step.

    `conclude` does the rest. Raises JobError for what people can mend, OSError when storage fails.
    """
    record, clock = Record(notify), time.monotonic()
    tracker = ProgressTracker(record)
    options, recipe = job.options, RECIPES[job.options.profile]
    epochs = recipe.epochs and (options.epochs or recipe.epochs)

    with tracker.stage(Stage.FETCH_PHOTOS, "Fetching photos"):
        photo_set, negative_set = _fetch(job, read_catalogue())
        found = len(photo_set.photos) + len(negative_set.photos)
        tracker.expect(job_seconds(found, recipe.views, epochs))

    with tracker.stage(Stage.PREPARE_DATASET, f"Reading {found} photos"):
        dataset, negatives = _read_photos(photo_set, negative_set, tracker)

    with tracker.stage(Stage.BUILD_MODEL, "Building the model"):
        backbone, reason = _build(job, record)
        made_of = fingerprint(dataset, negatives, backbone.facts.weights_sha256)
        if job.active and is_unchanged(job.active, made_of, options):
            require_whole(job.active)
            return Unchanged(job.active.version)

    with tracker.stage(Stage.TRAIN, f"Looking at {len(dataset.photos)} photos"):
        if epochs:
            _import_tensorflow_meanwhile()
        budget = Budget(options.time_budget_seconds)
        store = FeatureStore(job.cache / "features", job.feature_store_mb << 20)
        with Decoders(decoding_limits(job.memory_mb)) as decoders:
            extractor = Extractor(backbone, store, decoders, keep_tail_inputs=epochs > 0)
            views = plan_views(extractor, dataset, recipe.views, options.profile, budget)
            tracker.expect(job_seconds(len(dataset.photos), views, epochs))
            extracted, other = _extract(extractor, dataset, negatives, views, tracker, notify)
        _prune(store, record)
        skipped = _notify_skipped(extracted.dataset, other.dataset if other else negatives, notify)
        trained = train(
            extracted,
            other,
            backbone,
            find_warm_start(job.active, extracted.dataset, backbone, options) if epochs else None,
            epochs=epochs,
            seed=options.seed,
            budget=budget,
            step=lambda phase, share: tracker.step(share, f"{CURRENT_STAGES[phase]}: {share:.0%}", phase),
            on_epoch=record,
        )
        notify(ModelChosen(trained.method, trained.reason))

    with tracker.stage(Stage.EXPORT, "Exporting for the browser"):
        export(backbone, trained.model, job.folder)
        _export_held_out(backbone, trained, extracted.dataset, job)

    used, took = len(other.dataset.photos) if other else 0, timedelta(seconds=time.monotonic() - clock)
    return Candidate(
        job, backbone, reason, extracted, used, skipped, trained, views, made_of, record, tracker, took
    )


def _fetch(job: Job, catalogue: Sequence[CataloguePhoto]) -> tuple[PhotoSet, PhotoSet]:
    """The products' photos and the negatives."""
    products, others = split_catalogue(catalogue, job.options.negatives)
    layout = PhotoPath(job.photo_path)
    return fetch_photos(products, job.storage, layout), fetch_negatives(others, job.storage, layout)


def _build(job: Job, record: Record) -> tuple[Backbone, str]:
    """The backbone, and why it was chosen."""
    before = read_active_metadata(job.active).backbone.architecture
    backbone, reason = usable_backbone(job.backbone, job.base_weights, before, job.cache, record.cache_failed)
    record(BackboneChosen(backbone.facts.architecture, backbone.facts.weights, reason))
    return backbone, reason


def _import_tensorflow_meanwhile() -> None:
    """It takes seconds, in which the photos are looked at."""
    Thread(target=import_module, args=["worker.training.fine_tune"], daemon=True).start()


def _read_photos(
    photo_set: PhotoSet, negative_set: PhotoSet, tracker: ProgressTracker
) -> tuple[Dataset, Dataset]:
    """The products' photos and the negatives."""
    first, found = len(photo_set.photos), len(photo_set.photos) + len(negative_set.photos)

    def step(read: int) -> None:
        tracker.step(read / found, f"Reading photos: {read} of {found}")

    return prepare_dataset(photo_set, step), prepare_dataset(negative_set, lambda read: step(first + read))


def _extract(
    extractor: Extractor,
    dataset: Dataset,
    negatives: Dataset,
    views: int,
    tracker: ProgressTracker,
    notify: Notify,
) -> tuple[Extracted, Extracted | None]:
    """Features of the products' photos and of the negatives, `None` where there are none."""
    photos = len(dataset.photos)

    def step(done: int) -> None:
        tracker.step(done / photos, f"Looking at photos: {done} of {photos}", Phase.FEATURES)

    extracted = extractor.extract(dataset, view_names(views), step)
    other = extractor.extract(negatives, (WHOLE,)) if negatives.photos else None
    notify(FeaturesReady(len(extracted.dataset.photos), photos * views, extracted.computed))
    return extracted, other


def _prune(store: FeatureStore, record: Record) -> None:
    store.prune()
    if store.fault:
        record.cache_failed(store.fault)


def _notify_skipped(dataset: Dataset, negatives: Dataset, notify: Notify) -> tuple[SkippedPhoto, ...]:
    skipped = (*dataset.skipped, *negatives.skipped)
    for photo in skipped:
        notify(PhotoSkipped(photo.photo, photo.reason))
    return skipped


def _export_held_out(backbone: Backbone, trained: Trained, dataset: Dataset, job: Job) -> None:
    """Publish beside the model the one that the next job compares its own with."""
    if trained.held_out_model is None:
        return
    folder = job.folder / HELD_OUT_FOLDER
    folder.mkdir()
    export(backbone, trained.held_out_model, folder)
    known = compress(dataset.products, trained.held_out_model_knows)
    trained_on = {*np.delete(dataset.sha256, trained.held_out).tolist(), *trained.tail_trained_on}
    write_held_out([product.sku for product in known], trained_on, trained.tail_trained_on, folder)
