"""A training job from its first stage to its last."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from worker.backbone.compiled import compiled_backbone
from worker.training.budget import RECIPES, Budget, plan_views, train_phases
from worker.training.deploy import Description, count_reasons, deploy
from worker.training.export import export
from worker.training.feature_store import FeatureStore
from worker.training.features import Extractor
from worker.training.fetch_photos import CataloguePhoto, fetch_photos
from worker.training.job import Job, TrainedModel
from worker.training.prepare_dataset import prepare_dataset
from worker.training.progress import (
    FeaturesReady,
    ModelChosen,
    Phase,
    PhotoSkipped,
    Progress,
    Report,
    Stage,
)
from worker.training.train import train
from worker.training.views import view_names

SENTENCES = {
    Phase.HEAD: "Choosing how products are told apart",
    Phase.STARTUP: "Preparing to fine-tune",
    Phase.TRIAL: "Trying whether fine-tuning makes it better",
    Phase.TUNING: "Fine-tuning",
}


def run_pipeline(
    job: Job, read_catalogue: Callable[[], Sequence[CataloguePhoto]], report: Report
) -> TrainedModel:
    """Train on the catalogue's photos and write the model's files; `report` hears of every step.

    Raises JobError for what people can mend, OSError when storage fails.
    """
    clock = time.monotonic()
    progress = Progress(report)
    options, recipe = job.options, RECIPES[job.options.profile]
    epochs = recipe.epochs and (options.epochs or recipe.epochs)
    store = FeatureStore(job.cache / "features", job.feature_store_mb << 20)

    with progress.stage(Stage.FETCH_PHOTOS, "Fetching photos"):
        photo_set = fetch_photos(read_catalogue(), job.storage)
        found = len(photo_set.photos)
        progress.expect_photos(found)

    with progress.stage(Stage.PREPARE_DATASET, f"Reading {found} photos"):
        dataset = prepare_dataset(
            photo_set, lambda done: progress.step(done / found, f"Reading photos: {done} of {found}")
        )
        photos = len(dataset.photos)

    with progress.stage(Stage.BUILD_MODEL, "Building the model"):
        backbone = compiled_backbone(job.base_weights, job.cache)
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
        report(FeaturesReady(len(extracted.dataset.photos), photos * len(views), extracted.computed))
        store.prune()
        for skipped in extracted.dataset.skipped:
            report(PhotoSkipped(skipped.photo, skipped.reason))
        trained = train(
            extracted,
            backbone.layers,
            epochs=epochs,
            seed=options.seed,
            budget=budget,
            step=lambda phase, share: progress.step(share, f"{SENTENCES[phase]}: {share:.0%}", phase),
            on_epoch=report,
        )

        report(ModelChosen(trained.method, trained.reason))

    with progress.stage(Stage.EXPORT, "Exporting for the browser"):
        export(backbone, trained.tail, trained.head, job.folder)

    with progress.stage(Stage.DEPLOY, "Writing the model's description"):
        seconds = timedelta(seconds=time.monotonic() - clock)
        dataset = extracted.dataset
        description = Description(
            version=job.version,
            job_id=job.job_id,
            started_at=job.started_at,
            trained_at=job.started_at + seconds,
            products=dataset.products,
            photos=len(dataset.photos),
            skipped=dataset.skipped,
            accuracy=trained.accuracy,
            options=options,
            backbone=backbone.facts,
            method=trained.method,
            views=len(views),
        )
        deploy(description, job.folder)

    return TrainedModel(
        trained.accuracy, len(dataset.photos), len(dataset.products), count_reasons(dataset.skipped)
    )
