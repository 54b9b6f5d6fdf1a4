"""A row of the backend's catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CataloguePhoto:
    """A row of the catalogue: one photo of one active product. A backend's columns may be NULL."""

    product_id: str
    sku: str | None
    name: str | None
    file_name: str | None
    photo_id: str | None = None

    @property
    def columns(self) -> Mapping[str, str | None]:
        """The values of `worker.job.photo_path.COLUMNS`."""
        return {
            "ProductId": self.product_id,
            "SKU": self.sku,
            "PhotoId": self.photo_id,
            "FileName": self.file_name,
        }
