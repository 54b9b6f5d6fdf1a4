"""Photos as the bytes of a file, and what decoding makes of such bytes."""

from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.decode_photo import decode_photo


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decode(folder: Path, data: bytes) -> npt.NDArray[np.uint8]:
    path = folder / "photo"
    path.write_bytes(data)
    return decode_photo(path)
