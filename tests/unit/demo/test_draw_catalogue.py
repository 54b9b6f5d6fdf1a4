"""The drawn catalogue is the same every time, complete, readable, and of products that look nothing alike."""

from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from demo.draw_catalogue import LANDSCAPE, PORTRAIT, draw_catalogue, draw_photo
from demo.drawn_products import PRODUCTS, Product
from demo.solids import View, draw_solids


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


def portrait(product: Product) -> npt.NDArray[np.float64]:
    """The product from the front, as large as it gets, on grey; shape (60, 60, 3), 0..255."""
    scale = 190 / max(product.width, product.height)
    view = View((240, 240), (120, 215), scale, 0.2, 0.3, 0.0, (-0.5, 0.8, 0.7))
    drawn = draw_solids(product.build(), view)
    grey = Image.new("RGBA", drawn.size, (128, 128, 128, 255))
    return np.asarray(Image.alpha_composite(grey, drawn).convert("RGB").resize((60, 60)), dtype=float)


def test_every_photo_is_written_and_readable(tmp_path: Path) -> None:
    draw_catalogue(tmp_path / "shop", photos=1, held_out=1, held_out_folder=tmp_path / "held out")
    shop, held_out = files(tmp_path / "shop"), files(tmp_path / "held out")
    assert len(shop) == 12
    assert len(held_out) == 12
    assert shop.keys().isdisjoint(held_out)
    for product in PRODUCTS:
        assert f"{product.sku}/{product.name}_01.jpg" in shop
        assert f"{product.sku}/{product.name}_02.jpg" in held_out
    for path in [*(tmp_path / "shop").rglob("*.jpg"), *(tmp_path / "held out").rglob("*.jpg")]:
        with Image.open(path) as photo:
            assert photo.format == "JPEG"
            assert photo.size in (LANDSCAPE, PORTRAIT)
            assert np.asarray(photo).std() > 15
    assert len({*shop.values(), *held_out.values()}) == 24


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        draw_catalogue(tmp_path / name, products=2, photos=2, seed=seed)
    one, same, other = (files(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one)


def test_more_photos_leave_the_first_ones_as_they_were(tmp_path: Path) -> None:
    draw_catalogue(tmp_path / "few", products=2, photos=1)
    draw_catalogue(tmp_path / "many", products=3, photos=2)
    few, many = files(tmp_path / "few"), files(tmp_path / "many")
    assert few.items() <= many.items()


def test_nothing_is_held_out_unless_there_is_a_folder_for_it(tmp_path: Path) -> None:
    draw_catalogue(tmp_path / "shop", products=1, photos=1)
    assert len(files(tmp_path)) == 1


def test_only_known_products_can_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="13 products asked for, but 12 are known"):
        draw_catalogue(tmp_path, products=13)


def test_products_look_nothing_alike() -> None:
    assert len({product.sku for product in PRODUCTS}) == len({product.name for product in PRODUCTS}) == 12
    looks = {product.sku: portrait(product) for product in PRODUCTS}
    for one, other in combinations(looks, 2):
        assert np.abs(looks[one] - looks[other]).mean() > 12, f"{one} looks like {other}"


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.sku)
def test_photos_of_a_product_differ(product: Product) -> None:
    one, other = (draw_photo(product, np.random.default_rng([5, number])) for number in (1, 2))
    assert np.abs(np.asarray(one.resize((60, 60)), int) - np.asarray(other.resize((60, 60)), int)).mean() > 10
