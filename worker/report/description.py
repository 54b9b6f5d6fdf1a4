"""All that is said of a trained model: `metadata.json` says it to programs, `report.html` to people."""

from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from worker.backbone.backbone import BackboneFacts
from worker.catalogue.photo_files import Product, SkippedPhoto
from worker.evaluation.metrics import Evaluation
from worker.evaluation.thresholds import Rejection
from worker.job.advice import Advice
from worker.job.job import RANDOM
from worker.job.options import Options
from worker.job.progress import EpochFinished, Stage
from worker.job.promotion import Promotion


@dataclass(frozen=True)
class Picture:
    """A photo, its path below the storage, with its label and the prediction for it, if there was one.

    `jpeg`: a thumbnail, as `thumbnail` makes it.
    """

    photo: str
    sku: str
    prediction: str | None
    confidence: float | None
    jpeg: bytes

    @property
    def base64(self) -> str:
        return b64encode(self.jpeg).decode("ascii")


@dataclass(frozen=True)
class ModelDescription:
    """`products` are in the order of the model's outputs; `photos` and `negatives` count those that trained it,
    `broken_profiles` those photos whose colour profiles could not be read.

    `rejection` is `None` where nothing was measured. `mistakes` and `suspects` are held-out photos, the worst first.
    `stages` has the seconds that each took.
    """

    version: str
    job_id: str
    started_at: datetime
    trained_at: datetime
    options: Options
    products: tuple[Product, ...]
    photos: int
    broken_profiles: int
    negatives: int
    skipped: tuple[SkippedPhoto, ...]
    views: int
    fingerprint: str
    backbone: BackboneFacts
    backbone_reason: str
    recipe: str
    method: str
    started_from: str | None
    reason: str
    evaluation: Evaluation
    rejection: Rejection | None
    promotion: Promotion
    advice: tuple[Advice, ...]
    mistakes: tuple[Picture, ...]
    suspects: tuple[Picture, ...]
    epochs: tuple[EpochFinished, ...]
    stages: tuple[tuple[Stage, float], ...]

    @property
    def recognises_nothing(self) -> bool:
        """Whether its backbone has random weights."""
        return self.backbone.weights == RANDOM

    @property
    def skipped_by_reason(self) -> dict[str, int]:
        """Number of photos that were left out for each reason."""
        return dict(sorted(Counter(str(photo.reason) for photo in self.skipped).items()))
