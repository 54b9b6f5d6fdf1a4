"""A training job from its first stage to its last."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import compress

import numpy as np

from worker.backbone.cache import compiled_backbone
from worker.catalogue.dataset import prepare_dataset
from worker.catalogue.photo_files import CataloguePhoto, fetch_negatives, fetch_photos, split_catalogue
from worker.features.extraction import Extractor
from worker.features.store import FeatureStore
from worker.job.job import Job, Unchanged
from worker.job.progress import (
    FeaturesReady,
    ModelChosen,
    Phase,
    PhotoSkipped,
    Progress,
    Record,
    Report,
    Stage,
)
from worker.photos.augmentation import WHOLE, view_names
from worker.pipeline.compare import HELD_OUT
from worker.pipeline.conclude import Candidate
from worker.pipeline.export import export
from worker.pipeline.fingerprint import fingerprint
from worker.pipeline.unchanged import is_unchanged
from worker.pipeline.version_files import deploy_held_out
from worker.training.budget import RECIPES, Budget, plan_views, train_phases
from worker.training.train import train

SENTENCES = {
    Phase.HEAD: "Choosing how products are told apart",
    Phase.STARTUP: "Preparing to fine-tune",
    Phase.TRIAL: "Trying whether fine-tuning makes it better",
    Phase.TUNING: "Fine-tuning",
}


def train_model(
    job: Job, read_catalogue: Callable[[], Sequence[CataloguePhoto]], report: Report
) -> Candidate | Unchanged:
    """Train on the catalogue's photos and write the model's weights; `report` hears of every step.

    What is left is `conclude`. Raises JobError for what people can mend, OSError when storage fails.
    """
    record = Record(report)
    progress = Progress(record)
    clock = time.monotonic()
    options, recipe = job.options, RECIPES[job.options.profile]
    epochs = recipe.epochs and (options.epochs or recipe.epochs)
    store = FeatureStore(job.cache / "features", job.feature_store_mb << 20)

    with progress.stage(Stage.FETCH_PHOTOS, "Fetching photos"):
        ours, others = split_catalogue(read_catalogue(), options.negatives)
        photo_set, negative_set = fetch_photos(ours, job.storage), fetch_negatives(others, job.storage)
        found = len(photo_set.photos) + len(negative_set.photos)
        progress.expect_photos(found)

    with progress.stage(Stage.PREPARE_DATASET, f"Reading {found} photos"):
        done = len(photo_set.photos)
        dataset = prepare_dataset(
            photo_set, lambda read: progress.step(read / found, f"Reading photos: {read} of {found}")
        )
        negatives = prepare_dataset(
            negative_set,
            lambda read: progress.step((done + read) / found, f"Reading photos: {done + read} of {found}"),
        )
        photos = len(dataset.photos)

    with progress.stage(Stage.BUILD_MODEL, "Building the model"):
        backbone = compiled_backbone(job.base_weights, job.cache)
        made_of = fingerprint(dataset, negatives, backbone.facts.weights_sha256)
        if job.active and is_unchanged(job.active, made_of, options):
            return Unchanged(job.active.version)
        extractor = Extractor(backbone, store, keep_activations=epochs > 0)

    with progress.stage(Stage.TRAIN, f"Looking at {photos} photos"):
        budget = Budget(options.time_budget_seconds)
        views = view_names(plan_views(extractor, dataset, recipe.views, options.profile, budget))
        progress.expect(Stage.TRAIN, train_phases(photos, len(views), epochs))
        extracted = extractor.extract(
            dataset,
            views,
            lambda done: progress.step(
                done / photos, f"Looking at photos: {done} of {photos}", Phase.FEATURES
            ),
        )
        other = extractor.extract(negatives, (WHOLE,)) if negatives.photos else None
        report(FeaturesReady(len(extracted.dataset.photos), photos * len(views), extracted.computed))
        store.prune()
        skipped = (*extracted.dataset.skipped, *(other.dataset if other else negatives).skipped)
        for photo in skipped:
            report(PhotoSkipped(photo.photo, photo.reason))
        trained = train(
            extracted,
            other,
            backbone.layers,
            epochs=epochs,
            seed=options.seed,
            budget=budget,
            step=lambda phase, share: progress.step(share, f"{SENTENCES[phase]}: {share:.0%}", phase),
            on_epoch=record,
        )
        report(ModelChosen(trained.method, trained.reason))

    with progress.stage(Stage.EXPORT, "Exporting for the browser"):
        export(backbone, trained.model, job.folder)
        if trained.trial:
            place = job.folder / HELD_OUT
            place.mkdir()
            export(backbone, trained.trial, place)
            trained_on = np.delete(extracted.dataset.sha256, trained.held_out).tolist()
            known = compress(extracted.dataset.products, trained.trial_knows)
            deploy_held_out([product.sku for product in known], trained_on, place)

    return Candidate(
        job=job,
        backbone=backbone,
        extracted=extracted,
        negatives=len(other.dataset.photos) if other else 0,
        skipped=skipped,
        trained=trained,
        views=len(views),
        fingerprint=made_of,
        record=record,
        progress=progress,
        took=timedelta(seconds=time.monotonic() - clock),
    )
