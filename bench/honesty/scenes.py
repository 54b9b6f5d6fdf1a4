"""Draws scenes without a product, such as a camera sees before it is pointed at one."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

SIZE = (480, 360)
EACH = 10
"""Number of scenes of each kind."""

_QUALITY = 88
_OVERSIZE = 1.4  # scale of the canvas before it is turned, so that no corner is empty

Random = np.random.Generator
Pixels = npt.NDArray[np.float32]
"""Float32 `[height, width, 3]`, 0 to 255."""


def draw_scenes(folder: Path, *, each: int = EACH, seed: int = 11) -> list[Path]:
    """Write `folder/<kind>_<nn>.jpg`, `each` of every kind in SCENES; deterministic for a seed."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, name in enumerate(SCENES):
        for number in range(1, each + 1):
            paths.append(folder / f"{name}_{number:02d}.jpg")
            scene = draw_scene(name, np.random.default_rng([seed, kind, number]))
            scene.save(paths[-1], "JPEG", quality=_QUALITY)
    return paths


def draw_scene(kind: str, random: Random) -> Image.Image:
    """A scene of 480 x 360 pixels, RGB, with random light and grain."""
    pixels = SCENES[kind](random)
    light = random.uniform(0.75, 1.15) * (1 + random.uniform(-0.05, 0.05, 3))
    grain = random.normal(0, random.uniform(1, 5), (*pixels.shape[:2], 1))
    return Image.fromarray(np.clip(pixels * light + grain, 0, 255).astype(np.uint8))


def plaster(random: Random) -> Pixels:
    """A rough wall, lit from one side."""
    bumps = _clouds(random, (12, 9)) * random.uniform(3, 14) + random.normal(0, 3, (SIZE[1], SIZE[0]))
    slope = np.linspace(-1, 1, SIZE[0])[None, :] * random.uniform(-25, 25)
    return _colour(random, 120, 245) + (bumps + slope).astype(np.float32)[..., None]


def tiles(random: Random) -> Pixels:
    """Square tiles with grout, slightly turned, each of another shade."""
    image, pen, (width, height) = _canvas(_colour(random, 90, 200))
    step, gap = int(random.integers(50, 130)), int(random.integers(2, 7))
    colours = [_colour(random, 100, 245) for _ in range(random.integers(1, 3))]
    for row, y in enumerate(range(0, height, step)):
        for column, x in enumerate(range(0, width, step)):
            shade = colours[(row + column) % len(colours)] + random.normal(0, 5)
            pen.rectangle((x, y, x + step - gap, y + step - gap), fill=_fill(shade))
    return _turned(image, random, 12)


def boards(random: Random) -> Pixels:
    """Parallel wooden boards with grain."""
    image, pen, (width, height) = _canvas(np.array([40, 28, 20], np.float32))
    wood = np.array([random.uniform(110, 215), 0, 0], np.float32)
    wood[1:] = wood[0] * random.uniform((0.68, 0.42), (0.85, 0.7))
    x, fibre = 0, random.normal(0, 1, width)
    while x < width:
        board = int(random.integers(40, 110))
        shade = wood * random.uniform(0.82, 1.12)
        for line in range(x, min(x + board - 2, width)):
            pen.line((line, 0, line, height), fill=_fill(shade + 7 * fibre[line]))
        x += board
    return _turned(image, random, 8) + 9 * _clouds(random, (48, 3))[..., None]


def room(random: Random) -> Pixels:
    """A room out of focus: a wall, a floor, furniture, a window."""
    image, pen, (width, height) = _canvas(_colour(random, 130, 240))
    floor = height * random.uniform(0.55, 0.8)
    pen.rectangle((0, floor, width, height), fill=_fill(_colour(random, 60, 180)))
    for _ in range(random.integers(3, 8)):
        left, wide = random.uniform(0, width), random.uniform(0.08, 0.35) * width
        foot, tall = random.uniform(floor - 20, height), random.uniform(0.15, 0.6) * height
        pen.rectangle((left, foot - tall, left + wide, foot), fill=_fill(_colour(random, 30, 220)))
    left, top = random.uniform((0, 0), (0.7 * width, 0.2 * height))
    pen.rectangle((left, top, left + 0.2 * width, top + 0.3 * height), fill=(250, 250, 245))
    return _turned(image.filter(ImageFilter.GaussianBlur(random.uniform(9, 22))), random, 4)


def sky(random: Random) -> Pixels:
    """Clouds in a sky that is paler towards the horizon."""
    top, horizon = np.array([80, 130, 205]) + random.normal(0, 18, 3), np.array([200, 220, 238])
    depth = np.linspace(0, 1, SIZE[1])[:, None, None]
    cover = np.clip(_clouds(random, (5, 4)) * random.uniform(0.6, 1.2) + random.uniform(-0.3, 0.6), 0, 1)
    clear = top * (1 - depth) + horizon * depth
    white = cover[..., None] * random.uniform(0.7, 1)
    return np.asarray(clear * (1 - white) + 246 * white, np.float32)


def gradient(random: Random) -> Pixels:
    """A linear gradient between two colours."""
    angle = random.uniform(0, 2 * np.pi)
    x, y = np.linspace(-1, 1, SIZE[0])[None, :], np.linspace(-1, 1, SIZE[1])[:, None]
    share = np.clip((x * np.cos(angle) + y * np.sin(angle)) / 2 + 0.5, 0, 1)[..., None]
    return np.asarray(_colour(random, 0, 255) * (1 - share) + _colour(random, 0, 255) * share, np.float32)


SCENES: Mapping[str, Callable[[Random], Pixels]] = {
    "plaster": plaster,
    "tiles": tiles,
    "boards": boards,
    "room": room,
    "sky": sky,
    "gradient": gradient,
}


def _clouds(random: Random, cells: tuple[int, int]) -> Pixels:
    """Smooth noise `[height, width]` with a standard deviation of about 1: octaves of double frequency and half
    amplitude."""
    total = np.zeros((SIZE[1], SIZE[0]), np.float32)
    for octave in range(4):
        coarse = random.normal(0, 1, (cells[1] << octave, cells[0] << octave)).astype(np.float32)
        total += np.asarray(Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)) / (1 << octave)
    return total


def _canvas(colour: Pixels) -> tuple[Image.Image, ImageDraw.ImageDraw, tuple[int, int]]:
    size = int(SIZE[0] * _OVERSIZE), int(SIZE[1] * _OVERSIZE)
    image = Image.new("RGB", size, _fill(colour))
    return image, ImageDraw.Draw(image), size


def _turned(image: Image.Image, random: Random, degrees: float) -> Pixels:
    """The image's centre, turned by a random angle of up to `degrees`."""
    turned = image.rotate(random.uniform(-degrees, degrees), Image.Resampling.BICUBIC)
    left, top = (image.width - SIZE[0]) // 2, (image.height - SIZE[1]) // 2
    return np.asarray(turned.crop((left, top, left + SIZE[0], top + SIZE[1])), np.float32)


def _colour(random: Random, low: float, high: float) -> Pixels:
    """A weakly saturated colour with a brightness from `low` to `high`."""
    bright = random.uniform(low, high)
    return np.clip(bright + random.normal(0, 12, 3), 0, 255).astype(np.float32)


def _fill(colour: Pixels) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in np.clip(colour, 0, 255))
    return red, green, blue
