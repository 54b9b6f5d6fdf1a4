"""What comes after the photos were looked at, on a catalogue of two thousand products with three photos each."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.support.made_photos import contents, made_photos, scenes
from tests.support.made_reports import made_report
from worker.arrays import Labels
from worker.evaluation.accuracy_json import LONGEST, accuracy_metrics
from worker.evaluation.advice import LISTED, advise
from worker.evaluation.metrics import Evaluation, evaluate
from worker.evaluation.mislabelled import PhotoResult
from worker.evaluation.thresholds import choose_thresholds
from worker.features.extraction import Extracted
from worker.job.advice import AdviceKind
from worker.report.page import render
from worker.training.choose_head import choose_head
from worker.training.folds import HELD_OUT_FOLD, assign_folds
from worker.training.groups import Groups, group_photos

PRODUCTS, PHOTOS, SIZE = 2000, 3, 64


@pytest.fixture(scope="module")
def extracted() -> Extracted:
    """Each product around a mean of its own, each photo far enough from the others to be of another day."""
    labels = np.repeat(np.arange(PRODUCTS), PHOTOS)
    means, apart = scenes(PRODUCTS, size=SIZE), scenes(len(labels), seed=1, size=SIZE)
    features = means[labels] + 1.2 * apart
    return made_photos(features, labels, sha256=contents(len(labels)))


@pytest.fixture(scope="module")
def groups(extracted: Extracted) -> Groups:
    return group_photos(extracted)


@pytest.fixture(scope="module")
def folds(extracted: Extracted, groups: Groups) -> Labels:
    return assign_folds(extracted.dataset.labels, groups.of, extracted.dataset.sha256)


@pytest.fixture(scope="module")
def evaluation(extracted: Extracted, groups: Groups) -> Evaluation:
    """Of a model that is mostly right."""
    labels = extracted.dataset.labels
    logits = np.random.default_rng(0).normal(size=(len(labels), PRODUCTS)).astype(np.float32)
    logits[np.arange(len(labels)), labels] += 4
    skus = [product.sku for product in extracted.dataset.products]
    return evaluate(logits, labels, groups.of, skus, np.bincount(labels))


def test_photos_are_held_out_and_no_product_loses_all(extracted: Extracted, folds: Labels) -> None:
    labels = extracted.dataset.labels
    assert (folds >= 0).mean() > 0.95
    assert 0.15 < (folds == HELD_OUT_FOLD).mean() < 0.4
    assert (np.bincount(labels[folds == HELD_OUT_FOLD], minlength=PRODUCTS) < PHOTOS).all()


def test_products_are_told_apart_and_others_noticed(
    extracted: Extracted, groups: Groups, folds: Labels
) -> None:
    """Of a part of the products; the time that this takes grows with the square of their number."""
    mine = extracted.dataset.labels < PRODUCTS // 4
    nothing = np.zeros((0, SIZE), np.float32)
    features = extracted.features.only(np.flatnonzero(mine))
    labels = extracted.dataset.labels[mine]
    chosen = choose_head(features, labels, groups.of[mine], folds[mine], nothing)
    assert chosen.measured.top1 > 100 / PRODUCTS
    rejection = choose_thresholds(chosen.scores, chosen.measured.expected, chosen.near, chosen.far)
    assert rejection
    assert rejection.near
    assert rejection.near.auroc > 0.5
    assert np.isfinite(chosen.fitted.head.kernel).all()
    assert chosen.held_out


def test_what_the_row_holds_fits_its_column_and_says_how_many_it_leaves_out(evaluation: Evaluation) -> None:
    text = accuracy_metrics(evaluation, {"accept": 1.0})
    assert len(text) <= LONGEST
    said = json.loads(text)
    assert len(said["by_product"]) + said["by_product_left_out"] == PRODUCTS


def test_advice_stays_short_and_the_report_small(
    extracted: Extracted, groups: Groups, evaluation: Evaluation
) -> None:
    """Though a photo of every product is taken for the first one."""
    photos = [
        PhotoResult(photo.name, photo.product.sku, facts, photo.product.sku, 0.99, 0.99)
        if number % PHOTOS
        else PhotoResult(photo.name, photo.product.sku, facts, "SKU-00000", 0.99, 0.001, 0.3)
        for number, (photo, facts) in enumerate(zip(extracted.dataset.photos, extracted.facts, strict=True))
    ]
    names = {product.sku: product.name for product in extracted.dataset.products}
    advice = advise(photos, groups.copies, evaluation, names)
    by_kind: dict[str, int] = {}
    for each in advice:
        by_kind[each.kind] = by_kind.get(each.kind, 0) + 1
        assert len(each.message) < 500
    assert by_kind[AdviceKind.LOOKS_MISLABELLED] == LISTED
    assert max(by_kind.values()) <= LISTED
    page = made_report(sorted(names), [names[sku] for sku in sorted(names)], photos=PHOTOS)
    text = render(replace(page, evaluation=evaluation, advice=advice))
    assert len(text.encode()) < 5_000_000
