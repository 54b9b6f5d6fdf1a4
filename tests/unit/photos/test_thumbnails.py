"""Thumbnails are small, whole, and say nothing of who took the photo and where."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worker.photos.decode import open_photo
from worker.photos.thumbnails import LONGER_SIDE, MAX_BYTES, thumbnail


@pytest.mark.parametrize("size", [(448, 1200), (1200, 448), (90, 60)])
def test_thumbnail_is_small_and_keeps_the_photo_whole(size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    noise = Image.fromarray(random.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8))
    file = BytesIO()
    noise.save(file, "JPEG", exif=b"Exif\0\0secret", icc_profile=b"secret", comment=b"secret")
    data = thumbnail(open_photo(Path("photo.jpg"), file.getvalue()))
    small = Image.open(BytesIO(data))
    assert len(data) < MAX_BYTES
    assert b"secret" in file.getvalue()
    assert b"secret" not in data
    assert max(small.size) in (LONGER_SIDE, LONGER_SIDE // 2)
    assert abs(small.width / small.height - size[0] / size[1]) < 0.1 * size[0] / size[1]
