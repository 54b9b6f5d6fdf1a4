"""The limits that a photo's header must keep, before one of its pixels is decoded."""

from pathlib import Path
from typing import Final

from PIL import Image

from worker.photos.file import too_large
from worker.photos.jpeg_header import TooMany, is_jpeg, read_jpeg_header

MAX_PIXELS: Final = 200_000_000
MAX_SIDE: Final = 20_000
"""In pixels, of width and height."""

MAX_FRAMES: Final = 1_000
"""Frames of an animation, or pictures in one file. Only the first or primary one is decoded."""

# Others count their frames by walking through the whole file.
_KNOW_THEIR_FRAMES: Final = ("AVIF", "HEIF", "MPO", "PNG", "WEBP")


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a WebP's canvas, which its decoder allocates when it opens the file; None for others."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def check_size(path: Path, width: int, height: int) -> None:
    """Raises UnreadablePhoto for more than MAX_SIDE or MAX_PIXELS."""
    if max(width, height) > MAX_SIDE:
        raise too_large(path, f"{width} x {height} pixels, and {MAX_SIDE} a side is the limit")
    if width * height > MAX_PIXELS:
        raise too_large(path, f"{width} x {height} pixels, and {MAX_PIXELS} is the limit")


def check_frames(path: Path, image: Image.Image) -> None:
    """Raises UnreadablePhoto for more than MAX_FRAMES in an opened image."""
    frames = getattr(image, "n_frames", 1) if image.format in _KNOW_THEIR_FRAMES else 1
    if frames > MAX_FRAMES:
        raise too_large(path, f"{frames} frames, and {MAX_FRAMES} is the limit")


def held_by_jpeg_decoder(path: Path, data: bytes) -> float:
    """Bytes for each pixel that a JPEG's decoder will hold beside the picture, 0 for other formats.

    Raises UnreadablePhoto for a JPEG of too many segments, fill bytes or scans.
    """
    try:
        return read_jpeg_header(data).held_per_pixel if is_jpeg(data) else 0.0
    except TooMany as error:
        raise too_large(path, str(error)) from error
