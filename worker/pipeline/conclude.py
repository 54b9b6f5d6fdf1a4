"""The deploy stage: measures a trained model, decides whether it goes live, and describes it in its folder."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from worker.arrays import softmax
from worker.evaluation.accuracy_json import accuracy_metrics
from worker.evaluation.advice import advise
from worker.evaluation.gate import decide
from worker.evaluation.metrics import Evaluation, evaluate
from worker.evaluation.mislabelled import PhotoResult, mislabelled
from worker.evaluation.thresholds import Rejection
from worker.job.advice import Advice
from worker.job.job import ActiveModel
from worker.job.outcome import TrainedModel
from worker.job.progress import Stage
from worker.job.promotion import Promotion
from worker.photos.decoders import Decoders
from worker.photos.decoding_limits import decoding_limits
from worker.photos.unreadable import UnreadablePhoto
from worker.pipeline.compare import Incomparable, compare_published
from worker.pipeline.fingerprint import recipe
from worker.pipeline.lost import lost_products
from worker.pipeline.pipeline import Candidate
from worker.pipeline.version_files import write_version
from worker.pipeline.whole import require_whole
from worker.report.description import ModelDescription, Picture
from worker.training.nearest_photos import nearer_to

MISTAKES: Final = 12
SUSPECTS: Final = 12
CHUNK: Final = 512


def conclude(candidate: Candidate, active: ActiveModel | None) -> TrainedModel:
    """Compare with the model that is active, decide, and write report and description; may be called again.

    Raises JobError `output_incomplete` where the active model is damaged, OSError when the disk fails.
    """
    with candidate.tracker.stage(Stage.DEPLOY, "Measuring the model"):
        evaluation, results = _measure(candidate)
        lost = lost_products(candidate.extracted.dataset, active)
        names = {product.sku: product.name for product in candidate.extracted.dataset.photo_set.listed}
        advice = advise(results, candidate.trained.groups.copies, evaluation, names, lost)
        with Decoders(decoding_limits(candidate.job.memory_mb)) as decoders:
            promotion = _decide(candidate, active, tuple(product.sku for product in lost), decoders)
            model = _describe(candidate, evaluation, advice, promotion, results, decoders)
        write_version(model, candidate.job.folder)
    return TrainedModel(
        accuracy_metrics=accuracy_metrics(evaluation, _thresholds(model.rejection)),
        photos=model.photos,
        products=len(model.products),
        skipped=model.skipped_by_reason,
        promotion=promotion,
        advice=advice,
    )


def _measure(candidate: Candidate) -> tuple[Evaluation, list[PhotoResult]]:
    dataset, measured = candidate.extracted.dataset, candidate.trained.measured
    skus = [product.sku for product in dataset.products]
    counts = np.bincount(dataset.labels, minlength=len(skus))
    groups = candidate.trained.groups.of[measured.indices]
    evaluation = evaluate(measured.logits, measured.labels, groups, skus, counts, measured.error_shares)
    nearer = _nearer(candidate)
    results = [
        PhotoResult(photo.name, photo.product.sku, facts)
        for photo, facts in zip(dataset.photos, candidate.extracted.facts, strict=True)
    ]
    for start in range(0, len(measured.indices), CHUNK):
        part = slice(start, start + CHUNK)
        probabilities = softmax(measured.logits[part])
        for index, label, row in zip(
            measured.indices[part].tolist(), measured.labels[part], probabilities, strict=True
        ):
            results[index] = replace(
                results[index],
                prediction=skus[int(row.argmax())],
                confidence=float(row.max()),
                label_probability=float(row[label]),
                nearer=nearer.get(index),
            )
    return evaluation, results


def _nearer(candidate: Candidate) -> dict[int, float]:
    """For the indices of photos that were predicted wrongly: `PhotoResult.nearer`."""
    measured = candidate.trained.measured
    wrong, predictions = (
        measured.indices[~measured.correct],
        measured.logits.argmax(axis=1)[~measured.correct],
    )
    found = nearer_to(candidate.extracted.features, candidate.extracted.dataset.labels, wrong, predictions)
    return dict(zip(wrong.tolist(), found.tolist(), strict=True))


def _decide(
    candidate: Candidate, active: ActiveModel | None, lost: tuple[str, ...], decoders: Decoders
) -> Promotion:
    job, trained = candidate.job, candidate.trained
    comparison, incomparable = None, ""
    if active:
        require_whole(active)
    try:
        if active and trained.held_out_model:
            comparison = compare_published(
                job.folder,
                active,
                candidate.extracted,
                trained.groups.of,
                trained.held_out,
                candidate.backbone,
                job.cache,
                decoders,
                candidate.record.cache_failed,
            )
    except Incomparable as error:
        incomparable = str(error)
    return decide(
        comparison,
        promote=job.options.promote,
        tolerance=job.promote_tolerance,
        active_version=active.version if active else None,
        incomparable=incomparable,
        lost=lost,
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
    candidate: Candidate,
    evaluation: Evaluation,
    advice: tuple[Advice, ...],
    promotion: Promotion,
    results: Sequence[PhotoResult],
    decoders: Decoders,
) -> ModelDescription:
    job, trained, dataset = candidate.job, candidate.trained, candidate.extracted.dataset
    mistakes, suspects = _mistakes_and_suspects(results)
    return ModelDescription(
        version=job.version,
        job_id=job.job_id,
        started_at=job.started_at,
        trained_at=job.started_at + candidate.took,
        options=job.options,
        products=dataset.products,
        photos=len(dataset.photos),
        broken_profiles=sum(facts.broken_profile for facts in candidate.extracted.facts),
        negatives=candidate.negatives,
        skipped=candidate.skipped,
        views=candidate.views,
        fingerprint=candidate.fingerprint,
        backbone=candidate.backbone.facts,
        backbone_reason=candidate.backbone_reason,
        recipe=recipe(),
        method=trained.method,
        started_from=trained.started_from,
        reason=trained.reason,
        evaluation=evaluation,
        rejection=trained.rejection,
        promotion=promotion,
        advice=advice,
        mistakes=_pictures(candidate, results, mistakes, decoders),
        suspects=_pictures(candidate, results, suspects, decoders),
        epochs=tuple(candidate.record.epochs),
        stages=tuple(candidate.record.stages.items()),
    )


def _mistakes_and_suspects(results: Sequence[PhotoResult]) -> tuple[list[int], list[int]]:
    """Indices of photos that were predicted wrongly, and of those among them whose labels look wrong; the most
    confident predictions first."""
    wrong = sorted(
        (index for index, result in enumerate(results) if result.is_wrong),
        key=lambda index: -(results[index].confidence or 0),
    )
    doubtful = set(mislabelled(results))
    suspects = [index for index in wrong if index in doubtful]
    return [index for index in wrong if index not in suspects][:MISTAKES], suspects[:SUSPECTS]


def _pictures(
    candidate: Candidate, results: Sequence[PhotoResult], indices: Iterable[int], decoders: Decoders
) -> tuple[Picture, ...]:
    pictures = []
    for index in indices:
        photo, result = candidate.extracted.dataset.photos[index], results[index]
        try:
            jpeg = decoders.prepare(photo.path, thumbnail=True).thumbnail
        except (FileNotFoundError, UnreadablePhoto):
            continue  # it was there a moment ago; a report can do without
        pictures.append(Picture(photo.name, result.sku, result.prediction, result.confidence, jpeg))
    return tuple(pictures)
