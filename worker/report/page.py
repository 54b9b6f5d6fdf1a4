"""A model's report.html: one file that needs nothing else, for people who know no machine learning."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from worker.evaluation.metrics import Evaluation
from worker.job.advice import Advice, AdviceKind
from worker.report import charts, wording
from worker.report.description import ModelDescription

MOST_PICTURES: Final = 60
MOST_NAMED: Final = 50
MOST_PAIRS: Final = 10
MOST_LETTERS: Final = 100
MOST_OPEN: Final = 12
MOST_PRINTED: Final = 100


@dataclass(frozen=True)
class Pair:
    """`photos` of the `measured` photos of the product `sku` were predicted as `prediction`."""

    sku: str
    prediction: str
    photos: int
    measured: int


def render(model: ModelDescription) -> str:
    """The page, for a file in UTF-8. It runs no script and loads nothing; the same model gives the same page."""
    by_product = model.evaluation.by_product
    stages = [(wording.STAGES[stage], seconds) for stage, seconds in model.stages]
    figures = {
        "recall": charts.recall_by_product(by_product),
        "confusion": charts.confusion_matrix(by_product),
        "reliability": charts.reliability(model.evaluation.reliability),
        "acceptance": charts.acceptance(model.rejection) if model.rejection else None,
        "training": charts.training_curves(model.epochs),
        "time": charts.stage_times(stages),
    }
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            model=model,
            names={product.sku: product.name for product in model.products},
            # The figures' text was escaped as they were drawn.
            figures={name: Markup(svg) if svg else None for name, svg in figures.items()},
            advice=_by_kind(model.advice),
            pairs=_pairs(model.evaluation),
            options=model.options.model_dump(),
            products=len(model.products),
            measured=len(charts.worst(by_product)),
            seconds=sum(seconds for _, seconds in model.stages),
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
        "recognises_nothing": wording.RECOGNISES_NOTHING,
        "advice_titles": wording.ADVICE,
        "skip_reasons": wording.SKIPPED,
    }
    return environment


def _readable(value: Any) -> Any:
    """What the template writes, without what is no text; markup stays markup."""
    return wording.readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
