"""Runs the pipeline's stages in the test's own process, so that the model can be asked before its export."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worker.training.fetch_photos import CataloguePhoto


@dataclass(frozen=True)
class TrainedHere:
    """A published model's folder, and the same model in Python."""

    folder: Path
    probabilities: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def catalogue_of(photos: Path) -> list[CataloguePhoto]:
    """A folder a product as a catalogue; the product's id is its SKU."""
    return [
        CataloguePhoto(folder.name, folder.name, f"The {folder.name}", file.name)
        for folder in sorted(photos.iterdir())
        for file in sorted(folder.iterdir())
    ]


def train_here(photos: Path, folder: Path) -> TrainedHere:
    """Train on `photos` with random weights, and publish into `folder`."""
    # TensorFlow takes seconds to import, and most tests do without it.
    from worker.training.build_model import build_model
    from worker.training.converter import Converter
    from worker.training.deploy import Description, deploy
    from worker.training.export import assemble, export
    from worker.training.features import compute_features
    from worker.training.fetch_photos import fetch_photos
    from worker.training.options import Options
    from worker.training.prepare_dataset import prepare_dataset
    from worker.training.train import Examples, train

    storage = folder / "storage"
    storage.mkdir()
    (storage / "products").symlink_to(photos)
    model = folder / "v1767225600_20260101"
    model.mkdir()
    with Converter() as converter:
        dataset = prepare_dataset(fetch_photos(catalogue_of(photos), storage), lambda done: None)
        backbone = build_model("random", seed=0)
        features = compute_features(dataset, backbone, lambda done: None)
        nothing = np.zeros(len(dataset.labels), np.bool_)
        trained = train(
            Examples(features, dataset.labels), nothing, epochs=15, seed=0, on_epoch=lambda epoch: None
        )
        export(backbone, trained.head, converter, model)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    description = Description(
        version=model.name,
        job_id="00000000-0000-0000-0000-000000000000",
        started_at=now,
        trained_at=now,
        products=dataset.products,
        photos=len(dataset.labels),
        skipped=dataset.skipped,
        accuracy=trained.accuracy,
        options=Options(),
        backbone=backbone,
    )
    deploy(description, model)
    keras_model = assemble(backbone, trained.head)
    return TrainedHere(model, lambda pixels: keras_model(pixels.astype(np.float32)).numpy())
