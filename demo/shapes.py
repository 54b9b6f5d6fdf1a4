"""The parts of drawn products: skins, outlines, arcs and boxes."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demo.solids import Colour, Flat

Point = tuple[float, float, float]


def sheet(width: int, height: int, colour: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), colour)
    return image, ImageDraw.Draw(image)


def plain(colour: Colour) -> Image.Image:
    return Image.new("RGB", (8, 8), colour)


def write(pen: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int, colour: Colour) -> None:
    pen.text((x, y), text, fill=colour, font=ImageFont.load_default(size), anchor="mm")


def star(x: float, y: float, radius: float, points: int = 5) -> list[tuple[float, float]]:
    angles = np.pi * np.arange(2 * points) / points
    radii = np.where(np.arange(2 * points) % 2 == 0, radius, radius * 0.45)
    return [(x + r * float(np.sin(a)), y - r * float(np.cos(a))) for r, a in zip(radii, angles, strict=True)]


def bulge(points: Sequence[tuple[float, float]], steps: int = 120) -> list[tuple[float, float]]:
    """A smooth outline: the Bézier curve with (radius, height) points as its control points."""
    t = np.linspace(0, 1, steps)[:, None]
    level = [np.array(point, float) + 0 * t for point in points]
    while len(level) > 1:
        level = [(1 - t) * one + t * next_one for one, next_one in pairwise(level)]
    return [(float(r), float(h)) for r, h in level[0]]


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> list[Point]:
    """Points of an upright arc beside the product, in the plane z = 0; angles in radians from the right."""
    angles = np.linspace(start, end, 24)
    return [(x + width * float(np.cos(a)), y + height * float(np.sin(a)), 0.0) for a in angles]


def carton(
    size: tuple[float, float, float], front: Image.Image, side: Image.Image, top: Image.Image
) -> list[Flat]:
    """The five visible faces of a box of (width, height, depth) that stands on the table."""
    x, h, z = size[0] / 2, size[1], size[2] / 2
    return [
        Flat([(-x, h, z), (x, h, z), (x, 0, z), (-x, 0, z)], front),
        Flat([(x, h, -z), (-x, h, -z), (-x, 0, -z), (x, 0, -z)], front),
        Flat([(x, h, z), (x, h, -z), (x, 0, -z), (x, 0, z)], side),
        Flat([(-x, h, -z), (-x, h, z), (-x, 0, z), (-x, 0, -z)], side),
        Flat([(-x, h, -z), (x, h, -z), (x, h, z), (-x, h, z)], top),
    ]


def checkered(width: int, height: int, one: Colour, other: Colour, cell: int) -> Image.Image:
    image, pen = sheet(width, height, one)
    for x in range(0, width, cell):
        for y in range(0, height, cell):
            if (x + y) // cell % 2:
                pen.rectangle((x, y, x + cell - 1, y + cell - 1), fill=other)
    return image
