"""A model's report.html: one file that needs nothing else, for people who know no machine learning."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from worker.evaluation.metrics import Evaluation
from worker.evaluation.thresholds import Rejection
from worker.job.advice import Advice, AdviceKind
from worker.job.progress import EpochFinished
from worker.job.promotion import Promotion
from worker.report import charts, wording

MOST_PICTURES: Final = 60
MOST_NAMED: Final = 50
MOST_PAIRS: Final = 10
MOST_LETTERS: Final = 100
MOST_OPEN: Final = 12
MOST_PRINTED: Final = 100


@dataclass(frozen=True)
class Picture:
    """A photo, its path below the storage, with its label and what the model took it for, if it was asked.

    `jpeg`: a thumbnail, as `thumbnail` makes it.
    """

    photo: str
    sku: str
    guess: str | None
    confidence: float | None
    jpeg: bytes

    @property
    def base64(self) -> str:
        return b64encode(self.jpeg).decode("ascii")


@dataclass(frozen=True)
class Pair:
    """So many of the `measured` photos of the product `sku` were taken for `guess`."""

    sku: str
    guess: str
    photos: int
    measured: int


@dataclass(frozen=True)
class Report:
    """All that the report says of a model.

    `products`: SKU and name, in the order of the model's outputs. `skipped`: photos left out, by reason.
    `rejection` and `promotion` are `None` where nothing was measured or decided. `mistakes` and `suspects`: what
    is worst first. `stages`: the name of each with the seconds that it took.
    """

    version: str
    trained_at: datetime
    job_id: str
    method: str
    reason: str
    options: Mapping[str, object]
    products: tuple[tuple[str, str], ...]
    photos: int
    skipped: Mapping[str, int]
    evaluation: Evaluation
    rejection: Rejection | None
    promotion: Promotion | None
    advice: tuple[Advice, ...]
    mistakes: tuple[Picture, ...]
    suspects: tuple[Picture, ...]
    epochs: tuple[EpochFinished, ...]
    stages: tuple[tuple[str, float], ...]


def render(report: Report) -> str:
    """The page, for a file in UTF-8. It runs no script and loads nothing; the same report gives the same page."""
    by_product = report.evaluation.by_product
    stages = [(wording.STAGES.get(stage, stage), seconds) for stage, seconds in report.stages]
    figures = {
        "recall": charts.recall_by_product(by_product),
        "confusion": charts.confusion_matrix(by_product),
        "reliability": charts.reliability(report.evaluation.reliability),
        "acceptance": charts.acceptance(report.rejection) if report.rejection else None,
        "training": charts.training_curves(report.epochs),
        "time": charts.stage_times(stages),
    }
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            names=dict(report.products),
            # The figures' text was escaped as they were drawn.
            figures={name: Markup(svg) if svg else None for name, svg in figures.items()},
            advice=_by_kind(report.advice),
            pairs=_pairs(report.evaluation),
            products=len(report.products),
            measured=len(charts.worst(by_product)),
            seconds=sum(seconds for _, seconds in report.stages),
            limits={
                "pictures": MOST_PICTURES,
                "named": MOST_NAMED,
                "pairs": MOST_PAIRS,
                "bars": charts.MOST_BARS,
                "letters": MOST_LETTERS,
                "open": MOST_OPEN,
                "printed": MOST_PRINTED,
            },
        )
    )


def _by_kind(advice: Iterable[Advice]) -> dict[AdviceKind, list[Advice]]:
    """Kinds in the order in which they first come, as the most useful is first."""
    kinds: dict[AdviceKind, list[Advice]] = {}
    for one in advice:
        kinds.setdefault(one.kind, []).append(one)
    return kinds


def _pairs(evaluation: Evaluation) -> list[Pair]:
    """Every product with what its photos were taken for, the most photos first."""
    pairs = [
        Pair(product.sku, confusion.sku, confusion.photos, product.measured)
        for product in evaluation.by_product
        for confusion in product.confused_with
    ]
    return sorted(pairs, key=lambda pair: (-pair.photos, -pair.photos / max(1, pair.measured)))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_readable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        function.__name__: function
        for function in (
            wording.percent,
            wording.of_hundred,
            wording.number,
            wording.counted,
            wording.duration,
            wording.moment,
            wording.file_name,
            wording.setting,
            wording.shortened,
        )
    }
    environment.globals |= {
        "between": wording.between,
        "advice_titles": wording.ADVICE,
        "skip_reasons": wording.SKIPPED,
    }
    return environment


def _readable(value: Any) -> Any:
    """What the template writes, without what is no text; markup stays markup."""
    return wording.readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
