"""The report's figures, as inline SVG; `None` where there is nothing to draw."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from worker.evaluation.metrics import Bin, ProductAccuracy
from worker.evaluation.thresholds import Rejection, Threshold
from worker.job.progress import EpochFinished
from worker.report.drawing import BAD, GOOD, INK, LINE, SOFT, drawing
from worker.report.wording import PHASES, duration, percent, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS: Final = 40
MOST_CELLS: Final = 30
MOST_POINTS: Final = 200

ROW: Final = 16
SMALL: Final = 10
DASHED: Final = (0, (5, 2.5))
DOTTED: Final = (0, (1, 1.5))
SHARES: Final = [(share, percent(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]


def recall_by_product(products: Iterable[ProductAccuracy]) -> str | None:
    """Recall by product, the worst first, with the number of photos; the worst `MOST_BARS` products."""
    shown = worst(products)[:MOST_BARS]
    if not shown:
        return None
    rows = range(len(shown))
    recalls = [product.recall or 0.0 for product in shown]
    with drawing(ROW * len(shown) + 42, left=112, right=50, top=20, bottom=22) as made:
        axes = made.axes
        axes.barh(rows, [1.0] * len(shown), height=0.6, color=LINE, alpha=0.6)
        axes.barh(rows, recalls, height=0.6, color=GOOD)
        axes.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5))
        _label(axes, "x", SHARES)
        _label(axes, "y", [(row, shortened(product.sku, 15)) for row, product in enumerate(shown)], INK)
        for row, product in enumerate(shown):
            axes.text(1.22, row, f"{product.measured:,}", ha="right", va="center", color=SOFT, size=SMALL)
        axes.text(1.22, -0.7, "photos", ha="right", va="bottom", color=SOFT, size=SMALL)
        axes.text(0, -0.7, "recognised", ha="left", va="bottom", color=SOFT, size=SMALL)
        axes.spines[:].set_visible(False)
        named = (f"{p.sku} {percent(recall)}" for p, recall in zip(shown, recalls, strict=True))
        return made.svg("Share of photos recognised, by product: " + ", ".join(named))


def worst(products: Iterable[ProductAccuracy]) -> list[ProductAccuracy]:
    """The products that were measured: the lowest recall first, and among equals the one with more photos."""
    measured = [product for product in products if product.recall is not None]
    return sorted(measured, key=lambda product: (product.recall, -product.measured))


def confusion_matrix(products: Sequence[ProductAccuracy]) -> str | None:
    """Predictions by product: a row a product, a column a prediction; `None` for more than `MOST_CELLS`."""
    if len(products) > MOST_CELLS or not worst(products):
        return None
    count, side = len(products), min(26.0, 240 / len(products))
    columns = {product.sku: column for column, product in enumerate(products)}
    with drawing(max(side, 12.5) * count + 28, left=116, right=244 - side * count, top=22, bottom=6) as made:
        axes = made.axes
        edges = [line - 0.5 for line in range(count + 1)]
        axes.hlines(edges, edges[0], edges[-1], color=LINE, linewidth=0.6)
        axes.vlines(edges, edges[0], edges[-1], color=LINE, linewidth=0.6)
        for row, product in enumerate(products):
            for column, share in _predictions(product, columns):
                colour = GOOD if column == row else BAD
                axes.bar(column, 1, 1, bottom=row - 0.5, color=colour, alpha=0.2 + 0.8 * share)
        axes.set(xlim=(edges[0], edges[-1]), ylim=(edges[-1], edges[0]))
        rows = [(row, f"{shortened(product.sku, 13)}  {row + 1}") for row, product in enumerate(products)]
        _label(axes, "y", rows, INK)
        every = 1 if count <= 12 else 5
        _label(axes, "x", [(at, str(at + 1)) for at in range(count) if not (at + 1) % every], INK)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return made.svg("What the photos of each product were taken for; the table has it in words.")


def _predictions(product: ProductAccuracy, columns: dict[str, int]) -> list[tuple[int, float]]:
    """The columns of all predictions for the product's photos, each with its share of them."""
    taken = [(confusion.sku, confusion.photos / product.measured) for confusion in product.confused_with]
    taken += [(product.sku, product.recall)] if product.recall else []
    return [(columns[sku], min(1.0, share)) for sku, share in taken if sku in columns]


def reliability(bins: Iterable[Bin]) -> str | None:
    """Accuracy against confidence, by bins of confidence; the dots' area is the number of photos."""
    filled = [bin for bin in bins if bin.photos]
    if not filled:
        return None
    most = max(bin.photos for bin in filled)
    with drawing(290, left=50, right=20) as made:
        axes = made.axes
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.2, linestyle=DASHED)
        axes.plot(
            [bin.confidence for bin in filled], [bin.accuracy for bin in filled], color=GOOD, linewidth=1.5
        )
        for bin in filled:
            size = 4 + 10 * (bin.photos / most) ** 0.5
            axes.plot(bin.confidence, bin.accuracy, "o", markersize=size, color=GOOD, clip_on=False)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="how sure it was", ylabel="how often it was right")
        _label(axes, "x", SHARES)
        _label(axes, "y", SHARES)
        said = (f"{percent(bin.confidence)} sure, {percent(bin.accuracy)} right" for bin in filled)
        return made.svg("How often it was right, by how sure it was: " + "; ".join(said))


def acceptance(rejection: Rejection) -> str | None:
    """True positive rate, accuracy and false positive rate against the threshold on the score."""
    curve = _thinned(rejection.curve)
    if len(curve) < 2:
        return None
    scores = [threshold.score for threshold in curve]
    others = [
        threshold.false_positive_rate for threshold in curve if threshold.false_positive_rate is not None
    ]
    with drawing(310, left=50, top=66) as made:
        axes = made.axes
        kept = [threshold.true_positive_rate for threshold in curve]
        accuracy = [threshold.accuracy for threshold in curve]
        axes.plot(scores, kept, color=GOOD, linewidth=2, label="ours kept")
        axes.plot(scores, accuracy, color=INK, linewidth=1.6, linestyle=DOTTED, label="right of those")
        if len(others) == len(curve):
            axes.plot(scores, others, color=BAD, linewidth=2, linestyle=DASHED, label="others let in")
        axes.set(
            xlim=(scores[0], scores[-1]), ylim=(0, 1.01), xlabel="score from which on a photo is trusted"
        )
        _label(axes, "y", SHARES)
        marks = (("suggest", rejection.suggest, 1.02), ("accept", rejection.accept, 1.085))
        for name, threshold, height in marks:
            side = "left" if threshold.score < (scores[0] + scores[-1]) / 2 else "right"
            axes.plot([threshold.score] * 2, [0, height + 0.05], color=SOFT, linewidth=1, clip_on=False)
            offset = (4 if side == "left" else -4, 0)
            axes.annotate(
                name,
                (threshold.score, height),
                offset,
                "data",
                "offset points",
                ha=side,
                color=INK,
                size=SMALL,
                annotation_clip=False,
            )
        _legend(axes, 1.17)
        said = (
            f"from {name} on, {percent(at.true_positive_rate)} of ours are kept, {percent(at.accuracy)} of those right"
            for name, at, _ in marks
        )
        return made.svg("Shares by threshold: " + "; ".join(said))


def _thinned(curve: Sequence[Threshold]) -> list[Threshold]:
    """Points spread over the curve, no more than can be seen."""
    step = max(1, -(-len(curve) // MOST_POINTS))
    kept = [*curve[::step], *curve[-1:]]
    return sorted(kept, key=lambda threshold: threshold.score)


def training_curves(epochs: Sequence[EpochFinished]) -> str | None:
    """The loss by epoch: a line for the trial, and one for the training of what is published."""
    if not epochs:
        return None
    with drawing(250, left=50, top=30) as made:
        axes = made.axes
        styles = zip(PHASES.items(), (SOFT, GOOD), (DASHED, "solid"), strict=True)
        for (phase, name), colour, style in styles:
            passes = [epoch for epoch in epochs if epoch.phase == phase]
            if not passes:
                continue
            numbers, losses = [epoch.epoch for epoch in passes], [epoch.loss for epoch in passes]
            axes.plot(numbers, losses, "o", color=colour, linestyle=style, markersize=4, label=name)
        last = max(epoch.epoch for epoch in epochs)
        axes.set(xlim=(0.7, last + 0.3), xlabel="pass over the photos", ylabel="loss")
        axes.set_ylim(bottom=0)
        every = -(-last // 10)
        _label(axes, "x", [(epoch, str(epoch)) for epoch in range(every, last + 1, every)])
        axes.tick_params(length=0)
        axes.grid(axis="y")
        _legend(axes, 1.0)
        return made.svg(f"The loss after each pass; at the last it was {epochs[-1].loss:.3g}.")


def stage_times(stages: Sequence[tuple[str, float]]) -> str | None:
    """Seconds by stage. `stages` are names for people with seconds."""
    if not stages:
        return None
    rows = range(len(stages))
    longest = max(seconds for _, seconds in stages) or 1.0
    with drawing(24 * len(stages) + 8, left=132, right=56, top=4, bottom=4) as made:
        axes = made.axes
        axes.barh(rows, [seconds for _, seconds in stages], height=0.6, color=GOOD)
        axes.set(xlim=(0, longest), ylim=(len(stages) - 0.5, -0.5), xticks=[])
        _label(axes, "y", [(row, shortened(name, 21)) for row, (name, _) in enumerate(stages)], INK)
        for row, (_, seconds) in enumerate(stages):
            axes.text(
                seconds + longest / 50, row, duration(seconds), ha="left", va="center", color=SOFT, size=SMALL
            )
        axes.spines[:].set_visible(False)
        return made.svg("Time by stage: " + ", ".join(f"{name} {duration(took)}" for name, took in stages))


def _label(axes: "Axes", which: str, ticks: Sequence[tuple[float, str]], colour: str = SOFT) -> None:
    """Tick labels of an axis, without tick marks."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks([position for position, _ in ticks], [name for _, name in ticks])
    axis.set_tick_params(length=0, labelcolor=colour, labelsize=SMALL)


def _legend(axes: "Axes", height: float) -> None:
    """A legend above the axes, aligned to the left, in one row."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.12, height),
        ncols=3,
        borderpad=0.2,
        fontsize=SMALL,
        handlelength=1.8,
        handletextpad=0.5,
        columnspacing=1.2,
    )
