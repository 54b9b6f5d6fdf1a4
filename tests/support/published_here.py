"""Runs whole training jobs in the test's own process, as the training child does."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.backbones import SETTINGS
from tests.support.catalogues import catalogue_of
from worker.catalogue.catalogue_photo import CataloguePhoto
from worker.job.job import ActiveModel, Job
from worker.job.options import Options, Profile
from worker.job.outcome import TrainedModel, Unchanged
from worker.job.progress import Update
from worker.pipeline.conclude import conclude
from worker.pipeline.pipeline import Candidate, train_model

QUICK = Options(profile=Profile.QUICK)


@dataclass(frozen=True)
class Published:
    """A job's candidate and model, and the folder with its files."""

    candidate: Candidate
    model: TrainedModel
    folder: Path

    @property
    def active(self) -> ActiveModel:
        """This model as the active model of the next job."""
        return ActiveModel(self.folder.name, self.folder)

    @property
    def metadata(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder / "metadata.json").read_text(encoding="utf-8"))
        return read


@dataclass(frozen=True)
class Workshop:
    """A storage with products' folders, named by SKU, and the models trained on it.

    `settings` are those of the worker that choose its backbone.
    """

    folder: Path
    cache: Path
    settings: Mapping[str, str] = field(default_factory=lambda: SETTINGS)
    heard: list[Update] = field(default_factory=list)

    @property
    def products(self) -> Path:
        return self.folder / "storage" / "products"

    def add(self, sku: str, photos: Sequence[Path]) -> None:
        """Copy photos into a product's folder, with their own names."""
        (self.products / sku).mkdir(parents=True, exist_ok=True)
        for photo in photos:
            shutil.copy(photo, self.products / sku)

    def train(
        self,
        options: Options = QUICK,
        active: ActiveModel | None = None,
        rows: Sequence[CataloguePhoto] | None = None,
    ) -> Candidate | Unchanged:
        """Train on all products, or on the photos of `rows`."""
        number = len(list(self.folder.glob("v*")))
        folder = self.folder / f"v{1767225600 + number}_20260101"
        folder.mkdir()
        job = Job(
            job_id="00000000-0000-0000-0000-000000000000",
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            options=options,
            storage=self.folder / "storage",
            backbone=self.settings["BACKBONE"],
            base_weights=self.settings["BASE_WEIGHTS"],
            cache=self.cache,
            feature_store_mb=1024,
            version=folder.name,
            folder=folder,
            active=active,
            promote_tolerance=0.0,
        )
        return train_model(job, lambda: rows or catalogue_of(self.products), self.heard.append)

    def publish(
        self,
        options: Options = QUICK,
        active: ActiveModel | None = None,
        rows: Sequence[CataloguePhoto] | None = None,
    ) -> Published:
        """Train, conclude, and return the result."""
        candidate = self.train(options, active, rows)
        assert isinstance(candidate, Candidate)
        return Published(candidate, conclude(candidate, active), candidate.job.folder)
