"""A training job from its first stage to its last."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from worker.training.build_model import build_model
from worker.training.converter import Converter
from worker.training.deploy import Description, count_reasons, deploy
from worker.training.export import export
from worker.training.features import compute_features
from worker.training.fetch_photos import CataloguePhoto, fetch_photos
from worker.training.job import Job, TrainedModel
from worker.training.prepare_dataset import prepare_dataset
from worker.training.progress import EpochFinished, PhotoSkipped, Progress, Report, Stage
from worker.training.split import group_copies, hold_out
from worker.training.train import Epoch, Examples, train

# Of the train stage: computing features takes longer, the epochs are what people watch.
FEATURES_SHARE = 0.4


def run_pipeline(
    job: Job, read_catalogue: Callable[[], Sequence[CataloguePhoto]], report: Report
) -> TrainedModel:
    """Train on the catalogue's photos and write the model's files; `report` hears of every step.

    Raises JobError for what people can mend, OSError when storage fails.
    """
    clock = time.monotonic()
    progress = Progress(report)
    options = job.options

    with Converter() as converter:
        with progress.stage(Stage.FETCH_PHOTOS, "Fetching photos"):
            photo_set = fetch_photos(read_catalogue(), job.storage)
            found = len(photo_set.photos)
            progress.expect(found)

        with progress.stage(Stage.PREPARE_DATASET, f"Preparing {found} photos"):
            dataset = prepare_dataset(
                photo_set, lambda done: progress.step(done / found, f"Preparing photos: {done} of {found}")
            )
            for skipped in dataset.skipped:
                report(PhotoSkipped(skipped.photo, skipped.reason))
            held_out = hold_out(dataset.labels, group_copies(dataset.pixels), options.seed)
            photos = len(dataset.labels)
            progress.expect(photos)

        with progress.stage(Stage.BUILD_MODEL, "Building the model"):
            backbone = build_model(job.base_weights, options.seed)

        with progress.stage(Stage.TRAIN, f"Looking at {photos} photos"):

            def batch_done(done: int) -> None:
                progress.step(FEATURES_SHARE * done / photos, f"Looking at photos: {done} of {photos}")

            def epoch_done(epoch: Epoch) -> None:
                report(EpochFinished(epoch.number, epoch.of, round(epoch.loss, 4), epoch.accuracy))
                share = FEATURES_SHARE + (1 - FEATURES_SHARE) * epoch.number / epoch.of
                right = (
                    "" if epoch.accuracy is None else f", {epoch.accuracy:.0%} of the photos held out right"
                )
                progress.step(share, f"Training: epoch {epoch.number} of {epoch.of}{right}")

            features = compute_features(dataset, backbone, batch_done)
            trained = train(
                Examples(features, dataset.labels),
                held_out,
                epochs=options.epochs,
                seed=options.seed,
                on_epoch=epoch_done,
            )

        with progress.stage(Stage.EXPORT, "Exporting for the browser"):
            export(backbone, trained.head, converter, job.folder)

        with progress.stage(Stage.DEPLOY, "Writing the model's description"):
            seconds = timedelta(seconds=time.monotonic() - clock)
            description = Description(
                version=job.version,
                job_id=job.job_id,
                started_at=job.started_at,
                trained_at=job.started_at + seconds,
                products=dataset.products,
                photos=photos,
                skipped=dataset.skipped,
                accuracy=trained.accuracy,
                options=options,
                backbone=backbone,
            )
            deploy(description, job.folder)

    return TrainedModel(trained.accuracy, photos, len(dataset.products), count_reasons(dataset.skipped))
