"""Views of a photo: as many as are asked for, and the same every time."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.decode_photo import decode_photo
from demo.draw_catalogue import draw_catalogue
from worker.photos.augmentation import make_view, view_names
from worker.photos.decode import SIDE, open_photo


def test_views_are_of_the_content_and_the_name_and_of_nothing_else(tmp_path: Path) -> None:
    draw_catalogue(tmp_path, products=1, photos=2)
    path, other = sorted(tmp_path.rglob("*.jpg"))
    photo = open_photo(path, path.read_bytes())
    names = view_names(6)
    assert names[0] == "whole"
    assert len(set(names)) == 6
    views = [make_view(photo, "ab" * 32, name) for name in names]
    assert np.array_equal(views[0], decode_photo(path))
    again = open_photo(other, path.read_bytes())
    for name, view in zip(names, views, strict=True):
        assert view.shape == (SIDE, SIDE, 3)
        assert np.array_equal(view, make_view(again, "ab" * 32, name))
    assert len({view.tobytes() for view in views}) == 6
    assert not np.array_equal(views[1], make_view(photo, "cd" * 32, names[1]))
    assert view_names(9)[:6] == names


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (2500, 3), (451, 449)])
def test_a_photo_of_any_shape_has_views(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, (200, 100, 50)).save(tmp_path / "photo.png")
    photo = open_photo(tmp_path / "photo.png", (tmp_path / "photo.png").read_bytes())
    for name in view_names(12):
        view = make_view(photo, "ef" * 32, name)
        assert view.shape == (SIDE, SIDE, 3)
        assert np.ptp(view, axis=(0, 1)).max() <= 1, "one colour stays one colour"
