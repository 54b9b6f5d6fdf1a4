"""Makes synthetic reports with any number of products and any names."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

from PIL import Image

from worker.backbone.backbone import BackboneFacts
from worker.catalogue.photo_files import Product, SkippedPhoto
from worker.evaluation.metrics import Accuracy, Bin, Confusion, Evaluation, Interval, ProductAccuracy
from worker.evaluation.thresholds import Rejection, Separation, Threshold
from worker.job.advice import Advice, AdviceKind
from worker.job.options import Options
from worker.job.progress import EpochFinished, Phase, Stage
from worker.job.promotion import Comparison, Promotion
from worker.photos.unreadable import SkipReason
from worker.report.description import ModelDescription, Picture

SCRIPT = "<script>window.scripted = true</script>"
HOSTILE = (
    SCRIPT,
    '" onerror="window.scripted = true" x="',
    "' autofocus onfocus='window.scripted = true' '",
    "</svg></style></title></script>" + SCRIPT,
    "--><img src=x onerror='window.scripted = true'>",
    "javascript:window.scripted=true",
    "{{ 7 * 7 }}{% include 'x' %}",
    "$\\frac{a}{b}$ x^2 $",
    "\u202egnitset\u200b\u2066",
    "tab\tline\nnull\0bell\x07\x1b[31m\ufffe\ud800",
    "]]> &amp; &#60;script&#62; <![CDATA[",
    "很长的名字没有空格" * 12,
    "W" * 300,
    "#000001: #000004; style=fill:#000005",
)


def skus(count: int) -> list[str]:
    return [f"SKU-{number:05}" for number in range(count)]


def made_report(skus: Sequence[str], names: Sequence[str] = (), *, photos: int = 12) -> ModelDescription:
    """A report with `photos` measured photos of each product; one photo of every third product is confused with the
    next product."""
    names = names or [f"Product {sku}" for sku in skus]
    folder = "products/3f2a90c1-5c11-4b7e-9e0f-2b1c90d1a0ff/"
    pictures = tuple(
        Picture(f"{folder}{name}.jpg", sku, skus[index - 1], 0.81, made_jpeg())
        for index, (sku, name) in enumerate(zip(skus, names, strict=True))
    )[:12]
    few = f"{names[0]} has {photos} photos; take more."
    return ModelDescription(
        version="v1795365387_20261122",
        started_at=datetime(2026, 11, 22, 16, 35, 2, tzinfo=UTC),
        trained_at=datetime(2026, 11, 22, 16, 36, 27, tzinfo=UTC),
        job_id="8c7a9f8e-0f2d-4d1c-9a55-6f0a1b2c3d4e",
        method="fine-tuned, 6 epochs",
        reason="on 228 photos held out, fine-tuned 86.2%, head alone 81.1%",
        options=Options(negatives=("BAG", "SHELF")),
        products=tuple(Product(sku, sku, name) for sku, name in zip(skus, names, strict=True)),
        photos=photos * len(skus),
        broken_profiles=0,
        negatives=0,
        skipped=tuple(
            SkippedPhoto(f"{folder}{number}.jpg", reason)
            for number, reason in enumerate([SkipReason.MISSING] * 3 + [SkipReason.TRUNCATED])
        ),
        views=5,
        fingerprint="f" * 64,
        recipe="e" * 64,
        started_from=None,
        backbone=BackboneFacts("mobilenet_v2", "weights.h5", "0" * 64, {}, {}),
        backbone_reason="It is the first whose weights are there.",
        evaluation=Evaluation(
            Accuracy(0.84, Interval(0.78, 0.89), 0.95, 0.82, 0.031, photos * len(skus), len(skus)),
            tuple(_product(skus, index, photos) for index in range(len(skus))),
            tuple(Bin(low / 10, (low + 1) / 10, low / 10 + 0.05, low / 10, 5 + low) for low in range(10)),
        ),
        rejection=made_rejection(),
        promotion=Promotion(
            True,
            "It is right more often on the same photos.",
            "v1795001122_20261118",
            Comparison(142, 2, 0.845, 0.81, 0.9),
        ),
        advice=(Advice(AdviceKind.TOO_FEW_PHOTOS, few, tuple(skus), tuple(p.photo for p in pictures)),),
        mistakes=pictures,
        suspects=pictures[:3],
        epochs=tuple(
            EpochFinished(phase, epoch, 3, 2 / epoch)
            for phase in (Phase.TRIAL, Phase.TUNING)
            for epoch in (1, 2, 3)
        ),
        stages=tuple(zip(Stage, (0.1, 1.2, 0.2, 75.0, 0.4, 0.1), strict=True)),
    )


def unmeasured(report: ModelDescription) -> ModelDescription:
    """The same report without held-out photos."""
    by_product = tuple(
        replace(product, measured=0, recall=None, precision=None, confused_with=())
        for product in report.evaluation.by_product
    )
    nothing = Accuracy(None, None, None, None, None, 0, 0)
    return replace(
        report,
        evaluation=Evaluation(nothing, by_product, ()),
        rejection=None,
        mistakes=(),
        suspects=(),
        advice=(),
        epochs=(),
    )


def hostile_report() -> ModelDescription:
    """A report with HTML and scripts as the names of products, files and all else, which a page must escape."""
    report = made_report(HOSTILE, HOSTILE[::-1])
    return replace(
        report,
        version=SCRIPT,
        job_id=SCRIPT,
        method=SCRIPT,
        reason=HOSTILE[1],
        options=Options(negatives=(SCRIPT, HOSTILE[1])),
        promotion=Promotion(False, SCRIPT, HOSTILE[1], None),
    )


def made_rejection() -> Rejection:
    curve = tuple(
        Threshold(score / 300, 1 - score / 400, 0.8 + score / 1500, max(0.0, 0.9 - score / 150))
        for score in range(300)
    )
    return Rejection(curve[200], curve[100], Separation(0.931, 420), None, curve)


def made_jpeg() -> bytes:
    data = BytesIO()
    Image.new("RGB", (160, 120), (200, 120, 40)).save(data, "JPEG")
    return data.getvalue()


def _product(skus: Sequence[str], index: int, photos: int) -> ProductAccuracy:
    if index % 3:
        return ProductAccuracy(skus[index], photos, photos, 1.0, 0.9, ())
    wrong = Confusion(skus[(index + 1) % len(skus)], 1)
    return ProductAccuracy(skus[index], photos, photos, (photos - 1) / photos, None, (wrong,))
