"""Finds what the shop can do to get a better model. All functions here are pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from worker.evaluation.metrics import Evaluation
from worker.evaluation.mislabelled import Confusions, PhotoResult, mislabelled
from worker.job.advice import Advice, AdviceKind
from worker.photos.decode import SIDE

FEW_PHOTOS = 5
"""Products with fewer photos get the advice to add some."""

BLURRED = 0.1
"""A photo is blurred below this share of the median sharpness of its product's photos, and of the shop's."""

DARK = 0.15
TINY = SIDE
"""Mean luma, and pixels of the shorter side, below which a photo is dark or tiny."""

LISTED = 20
NAMED = 3


@dataclass(frozen=True)
class LostProduct:
    """A product that the active model knows and of whose `photos`, paths below the storage, none could be read."""

    sku: str
    photos: tuple[str, ...]


def advise(
    photos: Sequence[PhotoResult],
    copies: Iterable[tuple[int, int]],
    evaluation: Evaluation,
    names: Mapping[str, str],
    lost: Sequence[LostProduct] = (),
) -> tuple[Advice, ...]:
    """Advice, the most useful first.

    `copies` are pairs of indices into `photos` of near duplicates; `names` are those of products by SKU.
    """
    return (
        *_products_lost(lost, names),
        *_mislabelled(photos, names),
        *_same_photo(photos, copies, names),
        *_too_few(evaluation, names),
        *_not_measured(evaluation, names),
        *_hard_to_tell_apart(photos, names),
        *_bad_photos(photos),
    )


def _mislabelled(photos: Sequence[PhotoResult], names: Mapping[str, str]) -> list[Advice]:
    suspects = sorted(
        (photos[index] for index in mislabelled(photos)),
        key=lambda photo: (photo.label_probability or 0, -(photo.confidence or 0), photo.name),
    )
    return [
        Advice(
            AdviceKind.LOOKS_MISLABELLED,
            f"{photo.name} is filed under {_product(photo.sku, names)} and looks like "
            f"{_product(photo.prediction or '', names)}: is it the right product?",
            (photo.sku, photo.prediction or ""),
            (photo.name,),
        )
        for photo in suspects[:LISTED]
    ]


def _same_photo(
    photos: Sequence[PhotoResult], copies: Iterable[tuple[int, int]], names: Mapping[str, str]
) -> list[Advice]:
    across = [(photos[one], photos[other]) for one, other in copies if photos[one].sku != photos[other].sku]
    return [
        Advice(
            AdviceKind.SAME_PHOTO,
            f"{one.name} of {_product(one.sku, names)} and {other.name} of {_product(other.sku, names)} are the "
            "same photo: remove it from the product that it does not show.",
            (one.sku, other.sku),
            (one.name, other.name),
        )
        for one, other in across[:LISTED]
    ]


def _products_lost(lost: Sequence[LostProduct], names: Mapping[str, str]) -> list[Advice]:
    if not lost:
        return []
    skus = tuple(product.sku for product in lost)
    message = (
        f"No photo of {_listed([_product(sku, names) for sku in skus])} can be read, which the active model knows: put "
        "the photos back into the storage, or deactivate what you no longer sell."
    )
    photos = tuple(photo for product in lost for photo in product.photos)
    return [Advice(AdviceKind.PRODUCTS_LOST, message, skus, photos[:LISTED])]


def _too_few(evaluation: Evaluation, names: Mapping[str, str]) -> list[Advice]:
    few = sorted(
        (product for product in evaluation.by_product if product.photos < FEW_PHOTOS),
        key=lambda product: (product.photos, product.sku),
    )
    skus = tuple(product.sku for product in few)
    if not skus:
        return []
    message = (
        f"{_listed([_product(sku, names) for sku in skus])} {_have(skus)} fewer than {FEW_PHOTOS} photos: add some "
        "from other sides, in other light."
    )
    return [Advice(AdviceKind.TOO_FEW_PHOTOS, message, skus, ())]


def _not_measured(evaluation: Evaluation, names: Mapping[str, str]) -> list[Advice]:
    skus = tuple(product.sku for product in evaluation.by_product if not product.measured)
    if not skus:
        return []
    message = (
        f"{_listed([_product(sku, names) for sku in skus])} {_have(skus)} photos of one occasion only, so nobody "
        "knows how well they are recognised on another: add photos taken on another day."
    )
    return [Advice(AdviceKind.NOT_MEASURED, message, skus, ())]


def _hard_to_tell_apart(photos: Sequence[PhotoResult], names: Mapping[str, str]) -> list[Advice]:
    confusions = Confusions.of(photos)
    pairs = [(pair, count) for pair, count in confusions.between.most_common() if confusions.are_alike(pair)]
    return [
        Advice(
            AdviceKind.HARD_TO_TELL_APART,
            f"{_product(one, names)} and {_product(two, names)} are taken for each other in {count} of "
            f"{confusions.measured[one] + confusions.measured[two]} photos: photograph what differs, such as the "
            "label, from near.",
            (one, two),
            (),
        )
        for (one, two), count in pairs[:LISTED]
    ]


def _bad_photos(photos: Sequence[PhotoResult]) -> list[Advice]:
    by_sku: dict[str, list[float]] = {}
    for photo in photos:
        by_sku.setdefault(photo.sku, []).append(photo.facts.sharpness)
    usual = {sku: median(sharpness) for sku, sharpness in by_sku.items()}
    of_all = median(photo.facts.sharpness for photo in photos)
    found = {
        AdviceKind.BLURRED: (
            "blurred: take them again with a steady hand",
            [p for p in photos if p.facts.sharpness < BLURRED * min(usual[p.sku], of_all)],
        ),
        AdviceKind.DARK: (
            "very dark: take them again with more light",
            [photo for photo in photos if photo.facts.brightness < DARK],
        ),
        AdviceKind.TINY: (
            f"smaller than {TINY} pixels: upload them at full size",
            [photo for photo in photos if min(photo.facts.width, photo.facts.height) < TINY],
        ),
    }
    return [
        Advice(
            kind,
            f"{_listed([photo.name for photo in bad])} {'is' if len(bad) == 1 else 'are'} {what}.",
            tuple(dict.fromkeys(photo.sku for photo in bad)),
            tuple(photo.name for photo in bad[:LISTED]),
        )
        for kind, (what, bad) in found.items()
        if bad
    ]


def _product(sku: str, names: Mapping[str, str]) -> str:
    name = names.get(sku, sku)
    return sku if name == sku else f"{name} ({sku})"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    if more > 0:
        return f"{', '.join(names[:NAMED])} and {more} more"
    return " and ".join(names) if len(names) < NAMED else f"{', '.join(names[:-1])} and {names[-1]}"


def _have(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
