"""Products that the active model knows and the new one cannot: they have photos, of which none can be read."""

from worker.catalogue.dataset import Dataset
from worker.evaluation.advice import LostProduct
from worker.job.job import ActiveModel
from worker.pipeline.active_metadata import read_active_metadata


def lost_products(dataset: Dataset, active: ActiveModel | None) -> tuple[LostProduct, ...]:
    """The products of the catalogue's photos none of which is left in `dataset`, in the order of SKUs.

    A product that the active model does not know is not lost: nobody has recognised it so far.
    """
    known = _labels(active) - {product.sku for product in dataset.products}
    missing = {product.sku: product for product in dataset.photo_set.listed if product.sku in known}
    return tuple(
        LostProduct(sku, tuple(photo.photo for photo in dataset.skipped if photo.product == product))
        for sku, product in sorted(missing.items())
    )


def _labels(active: ActiveModel | None) -> set[str]:
    """The SKUs that the active model tells apart; none where it is another program's."""
    metadata = read_active_metadata(active)
    return set(metadata.labels) if metadata.label_scheme == "sku" else set()
