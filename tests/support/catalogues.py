"""Makes catalogues of folders."""

from pathlib import Path

from worker.catalogue.catalogue_photo import CataloguePhoto


def catalogue(storage: Path, counts: dict[str, int]) -> list[CataloguePhoto]:
    """Rows for `counts[sku]` photos of each product, with a file for each."""
    rows = []
    for sku, count in counts.items():
        (storage / "products" / sku).mkdir(parents=True)
        for number in range(count):
            (storage / "products" / sku / f"{number}.jpg").write_bytes(b"x")
            rows.append(CataloguePhoto(sku, sku, f"The {sku}", f"{number}.jpg"))
    return rows


def catalogue_of(photos: Path) -> list[CataloguePhoto]:
    """A catalogue of a folder with one folder for each product; the product's id is its SKU."""
    return [
        CataloguePhoto(folder.name, folder.name, f"The {folder.name}", file.name)
        for folder in sorted(photos.iterdir())
        for file in sorted(folder.iterdir())
    ]
