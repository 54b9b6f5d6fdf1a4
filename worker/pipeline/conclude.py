"""What is to be said of a trained model, whether it goes live, and its description and report."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from worker.backbone.cache import CompiledBackbone
from worker.catalogue.photo_files import SkippedPhoto
from worker.evaluation.advice import SeenPhoto, advise
from worker.evaluation.gate import decide
from worker.evaluation.metrics import Evaluation, accuracy_metrics, evaluate
from worker.evaluation.thresholds import Rejection
from worker.features.extraction import Extracted
from worker.job.advice import Advice
from worker.job.job import ActiveModel, Job, TrainedModel
from worker.job.progress import Progress, Record, Stage
from worker.job.promotion import Promotion
from worker.photos.decode import UnreadablePhoto, open_photo, read_photo
from worker.photos.thumbnails import thumbnail
from worker.pipeline.compare import Incomparable, compare_published
from worker.pipeline.version_files import Description, count_reasons, deploy
from worker.report.page import Picture, render
from worker.report.page import Report as Page
from worker.training.heads import softmax
from worker.training.train import Trained

REPORT = "report.html"
MISTAKES = 12
SUSPECTS = 12
CHUNK = 512


@dataclass(frozen=True)
class Candidate:
    """A trained model whose weights are in the job's folder, and all that its description is made of."""

    job: Job
    backbone: CompiledBackbone
    extracted: Extracted
    negatives: int
    skipped: tuple[SkippedPhoto, ...]
    trained: Trained
    views: int
    fingerprint: str
    record: Record
    progress: Progress
    took: timedelta


def conclude(candidate: Candidate, active: ActiveModel | None) -> TrainedModel:
    """Compare with the model that is active, decide, and write report and description; may be called again.

    Raises OSError when the disk fails.
    """
    with candidate.progress.stage(Stage.DEPLOY, "Measuring the model"):
        evaluation, seen = _measure(candidate)
        names = {product.sku: product.name for product in candidate.extracted.dataset.products}
        advice = advise(seen, candidate.trained.groups.copies, evaluation, names)
        promotion = _decide(candidate, active)
        description = _describe(candidate, evaluation, advice, promotion)
        page = _report(candidate, description, seen)
        (candidate.job.folder / REPORT).write_text(page, encoding="utf-8")
        deploy(description, candidate.job.folder)
    return TrainedModel(
        accuracy_metrics=accuracy_metrics(evaluation, _thresholds(candidate.trained.rejection)),
        photos=description.photos,
        products=len(description.products),
        skipped=count_reasons(candidate.skipped),
        promotion=promotion,
        advice=advice,
    )


def _measure(candidate: Candidate) -> tuple[Evaluation, list[SeenPhoto]]:
    dataset, measured = candidate.extracted.dataset, candidate.trained.measured
    skus = [product.sku for product in dataset.products]
    counts = np.bincount(dataset.labels, minlength=len(skus))
    groups = candidate.trained.groups.of[measured.places]
    evaluation = evaluate(measured.logits, measured.labels, groups, skus, counts)
    said: dict[int, tuple[str, float, float]] = {}
    for start in range(0, len(measured.places), CHUNK):
        part = slice(start, start + CHUNK)
        probabilities = softmax(measured.logits[part])
        for place, label, row in zip(
            measured.places[part], measured.labels[part], probabilities, strict=True
        ):
            said[int(place)] = (skus[int(row.argmax())], float(row.max()), float(row[label]))
    seen = [
        SeenPhoto(photo.name, photo.product.sku, facts, *said.get(place, (None, None, None)))
        for place, (photo, facts) in enumerate(zip(dataset.photos, candidate.extracted.facts, strict=True))
    ]
    return evaluation, seen


def _decide(candidate: Candidate, active: ActiveModel | None) -> Promotion:
    job, trained = candidate.job, candidate.trained
    comparison, incomparable = None, ""
    try:
        if active and trained.trial:
            comparison = compare_published(
                job.folder,
                active,
                candidate.extracted.dataset,
                trained.groups.of,
                trained.held_out,
                candidate.backbone,
            )
    except Incomparable as error:
        incomparable = str(error)
    return decide(
        comparison,
        promote=job.options.promote,
        tolerance=job.promote_tolerance,
        active_version=active.version if active else None,
        incomparable=incomparable,
    )


def _thresholds(rejection: Rejection | None) -> dict[str, object]:
    if rejection is None:
        return {}
    return {
        "accept": rejection.accept.score,
        "suggest": rejection.suggest.score,
        "near_auroc": rejection.near and rejection.near.auroc,
        "far_auroc": rejection.far and rejection.far.auroc,
    }


def _describe(
    candidate: Candidate, evaluation: Evaluation, advice: tuple[Advice, ...], promotion: Promotion
) -> Description:
    job, trained, dataset = candidate.job, candidate.trained, candidate.extracted.dataset
    return Description(
        version=job.version,
        job_id=job.job_id,
        started_at=job.started_at,
        trained_at=job.started_at + candidate.took,
        products=dataset.products,
        photos=len(dataset.photos),
        negatives=candidate.negatives,
        skipped=candidate.skipped,
        evaluation=evaluation,
        rejection=trained.rejection,
        promotion=promotion,
        advice=advice,
        fingerprint=candidate.fingerprint,
        options=job.options,
        backbone=candidate.backbone.facts,
        logits=candidate.backbone.template.logits,
        method=trained.method,
        reason=trained.reason,
        views=candidate.views,
    )


def _report(candidate: Candidate, description: Description, seen: Sequence[SeenPhoto]) -> str:
    wrong = sorted(
        (place for place, photo in enumerate(seen) if photo.guess not in (None, photo.sku)),
        key=lambda place: -(seen[place].confidence or 0),
    )
    suspects = [place for place in wrong if seen[place].looks_mislabelled]
    page = Page(
        version=description.version,
        trained_at=description.trained_at,
        job_id=description.job_id,
        method=description.method,
        reason=description.reason,
        options=description.options.model_dump(mode="json"),
        products=tuple((product.sku, product.name) for product in description.products),
        photos=description.photos,
        skipped=count_reasons(description.skipped),
        evaluation=description.evaluation,
        rejection=description.rejection,
        promotion=description.promotion,
        advice=description.advice,
        mistakes=_pictures(candidate, seen, [place for place in wrong if place not in suspects][:MISTAKES]),
        suspects=_pictures(candidate, seen, suspects[:SUSPECTS]),
        epochs=tuple(candidate.record.epochs),
        stages=tuple(candidate.record.stages.items()),
    )
    return render(page)


def _pictures(candidate: Candidate, seen: Sequence[SeenPhoto], places: Iterable[int]) -> tuple[Picture, ...]:
    pictures = []
    for place in places:
        photo, said = candidate.extracted.dataset.photos[place], seen[place]
        try:
            jpeg = thumbnail(open_photo(photo.path, read_photo(photo.path)))
        except (FileNotFoundError, UnreadablePhoto):
            continue  # it was there a moment ago; a report can do without
        pictures.append(Picture(photo.name, said.sku, said.guess, said.confidence, jpeg))
    return tuple(pictures)
