"""Runs the pipeline's stages in a test's own process, so that tests can compare the model before its export."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.support.backbones import real_backbone
from tests.support.catalogues import catalogue_of
from worker.arrays import Floats

VERSION, TUNED = "v1767225600_20260101", "tuned.pickle"
LARGEST_LOGIT = 5.0


@dataclass(frozen=True)
class Answer:
    """To n photos: probabilities `[n, products]` and scores `[n]`."""

    probabilities: Floats
    scores: Floats


@dataclass(frozen=True)
class TrainedHere:
    """A published model's folder, and the same model as a Python function."""

    folder: Path
    answer: Callable[[npt.NDArray[np.uint8]], Answer]

    def probabilities(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        return self.answer(pixels).probabilities


def train_here(photos: Path, folder: Path, cache: Path) -> None:
    """Fine-tune on `photos` with weights that recognise things, and publish into `folder`."""
    from worker.catalogue.dataset import prepare_dataset
    from worker.catalogue.photo_files import fetch_photos
    from worker.evaluation.metrics import evaluate
    from worker.features.extraction import Extractor
    from worker.features.store import FeatureStore
    from worker.job.options import Options
    from worker.job.promotion import Promotion
    from worker.photos.decoders import Decoders
    from worker.photos.decoding_limits import decoding_limits
    from worker.pipeline.export import export
    from worker.pipeline.version_files import write_version
    from worker.report.description import ModelDescription
    from worker.training.fine_tune import Tuner
    from worker.training.model import Model
    from worker.training.trial import fit_tuned_head

    storage = folder / "storage"
    storage.mkdir()
    (storage / "products").symlink_to(photos)
    model = folder / VERSION
    model.mkdir()
    backbone = real_backbone(cache)
    store = FeatureStore(cache / "features", 1 << 30)
    dataset = prepare_dataset(fetch_photos(catalogue_of(photos), storage), lambda done: None)
    with Decoders(decoding_limits(None)) as decoders:
        extracted = Extractor(backbone, store, decoders, keep_tail_inputs=True).extract(dataset, ("whole",))
    assert extracted.tail_inputs
    tuner = Tuner(backbone.architecture, backbone.layers, extracted.tail_inputs, dataset.labels)
    tuned = tuner.run(np.arange(len(dataset.labels)), epochs=4, seed=0)
    assert tuned
    features = tuner.features(extracted.tail_inputs, np.arange(len(dataset.labels)))
    head = fit_tuned_head(features, dataset.labels)
    # The most certain answer is about 0.99: nothing here was held out to calibrate it.
    head = head.calibrated(LARGEST_LOGIT / float(head.head.logits(features).max()))
    export(backbone, Model(head, tuned.tail), model)
    skus = [product.sku for product in dataset.products]
    nothing = np.zeros(0, np.int64)
    unmeasured = np.zeros((0, len(skus)), np.float32)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    description = ModelDescription(
        version=model.name,
        job_id="00000000-0000-0000-0000-000000000000",
        started_at=now,
        trained_at=now,
        products=dataset.products,
        photos=len(dataset.labels),
        broken_profiles=0,
        negatives=0,
        skipped=dataset.skipped,
        evaluation=evaluate(unmeasured, nothing, nothing, skus, np.bincount(dataset.labels)),
        rejection=None,
        promotion=Promotion(True, "There was no active model.", None, None),
        advice=(),
        fingerprint="",
        recipe="",
        started_from=None,
        options=Options(),
        backbone=backbone.facts,
        backbone_reason="a test asked for it",
        method="fine-tuned",
        reason="a test asked for it",
        views=1,
        mistakes=(),
        suspects=(),
        epochs=(),
        stages=(),
    )
    write_version(description, model)
    (folder / TUNED).write_bytes(pickle.dumps((tuned.tail, head)))


def trained_here(folder: Path, cache: Path) -> TrainedHere:
    """Read the model that `train_here` wrote to `folder`, in the same or another process."""

    def answer(pixels: npt.NDArray[np.uint8]) -> Answer:
        # Imported here: TensorFlow takes seconds to import, and most tests do not need it.
        import tensorflow as tf

        from worker.arrays import softmax
        from worker.backbone.network import as_tensors, run_tail, run_trunk

        tail, head = pickle.loads((folder / TUNED).read_bytes())
        backbone = real_backbone(cache)
        architecture, tensors = backbone.architecture, as_tensors(backbone.layers | tail)
        photo = tf.constant(pixels.astype(np.float32))
        features = run_tail(architecture, tensors, run_trunk(architecture, tensors, photo)).numpy()
        return Answer(softmax(head.head.logits(features)), head.scores(features))

    return TrainedHere(folder / VERSION, answer)
