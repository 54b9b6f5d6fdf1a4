"""Walks through a JPEG's segments before a decoder does: refuses what costs a decoder hours, and tells its memory."""

import re
from dataclasses import dataclass
from typing import Final

MAX_SEGMENTS: Final = 1_000
"""Segments before the pixels. Profiles, maps of depth and previews take some hundreds at most."""

MAX_SCANS: Final = 100
"""Progressive photos have about ten. Each scan goes over all pixels, however few bytes it has."""

MAX_FILL_BYTES: Final = 1 << 16
"""Bytes between two segments that belong to neither; they are skipped one by one."""

_NEXT_MARKER: Final = re.compile(rb"[^\xff]*+(?:\xff++\0[^\xff]*+)*+\xff++([^\0])")
_END_OF_SCAN: Final = re.compile(rb"\xff[^\0\xd0-\xd7\xff]")
_ALONE: Final = {0x01, *range(0xD0, 0xD9)}
_FRAMES: Final = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = {0xC2, 0xC6, 0xCA, 0xCE}
_SCAN, _END = 0xDA, 0xD9


class TooMany(Exception):
    """A JPEG has more of something than is decoded; the message has both numbers."""


@dataclass(frozen=True)
class JpegHeader:
    """`held_per_pixel` is the number of bytes for each pixel that the decoder holds beside the picture: the
    coefficients of a photo with several scans, else 0."""

    held_per_pixel: float


def is_jpeg(start: bytes) -> bool:
    return start.startswith(b"\xff\xd8\xff")


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Walk from segment to segment. Raises TooMany; a damaged file is left to the decoder."""
    place, frame, progressive = 2, b"", False
    for _ in range(MAX_SEGMENTS):
        found = _NEXT_MARKER.match(data, place, place + MAX_FILL_BYTES)
        if not found:
            if len(data) - place > MAX_FILL_BYTES:
                raise TooMany(f"over {MAX_FILL_BYTES} bytes between two segments, which is the limit")
            return JpegHeader(0.0)
        marker, place = found[1][0], found.end()
        if marker in _ALONE:
            continue
        segment = data[place + 2 : place + 2 + 6 + 3 * 255]
        place += max(2, int.from_bytes(data[place : place + 2]))
        if marker in _FRAMES:
            frame, progressive = segment, marker in _PROGRESSIVE
        elif marker == _SCAN:
            _limit_scans(data, place)
            several = progressive or segment[:1] != frame[5:6]
            return JpegHeader(_coefficient_bytes(frame) if several else 0.0)
        elif marker == _END:
            return JpegHeader(0.0)
    raise TooMany(f"over {MAX_SEGMENTS} segments, which is the limit")


def _limit_scans(data: bytes, place: int) -> None:
    """`place` is that of the first scan's pixels."""
    # Previews and films behind the picture have these two bytes too, so that only few of them say something.
    if data.count(bytes((0xFF, _SCAN)), place) < MAX_SCANS:
        return
    scans = 1
    while found := _END_OF_SCAN.search(data, place):
        marker, place = data[found.end() - 1], found.end()
        if marker == _END:
            return
        scans += marker == _SCAN
        if scans > MAX_SCANS:
            raise TooMany(f"over {MAX_SCANS} scans, which is the limit")
        if marker not in _ALONE:
            place += max(2, int.from_bytes(data[place : place + 2]))


def _coefficient_bytes(frame: bytes) -> float:
    """The bytes of the coefficients, two each, for each pixel of a frame header."""
    factors = [(each >> 4, each & 15) for each in frame[7 : 6 + 3 * frame[5] : 3]] if len(frame) > 5 else []
    if not factors or not all(across and down for across, down in factors):
        return 0.0
    most = max(across for across, _ in factors) * max(down for _, down in factors)
    return 2 * sum(across * down for across, down in factors) / most
