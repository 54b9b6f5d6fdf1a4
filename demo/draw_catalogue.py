"""Draws the demo shop's catalogue: photos of twelve products with random angles, lights and backgrounds."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from demo.drawn_products import PRODUCTS, Product
from demo.solids import Colour, View, draw_solids

LANDSCAPE = (480, 360)
PORTRAIT = (360, 480)

_OVERSIZE = 1.5  # scale at which products are drawn before they are shrunk, for smooth edges
_QUALITY = 88
_WALLS: tuple[Colour, ...] = (
    *((232, 226, 214), (196, 210, 214), (214, 200, 186), (170, 186, 166), (226, 208, 206), (120, 136, 150)),
    *((244, 240, 232), (152, 140, 130), (98, 108, 104), (210, 214, 226), (238, 222, 180), (184, 160, 150)),
)
_TABLES: tuple[Colour, ...] = (
    *((176, 132, 92), (126, 86, 56), (222, 214, 204), (88, 90, 94), (202, 170, 130), (236, 234, 230)),
    *((150, 160, 156), (96, 64, 46), (212, 190, 196), (164, 176, 190)),
)

Random = np.random.Generator


def draw_catalogue(
    folder: Path,
    *,
    products: int = 12,
    photos: int = 12,
    seed: int = 7,
    held_out: int = 3,
    held_out_folder: Path | None = None,
) -> None:
    """Write `folder/<SKU>/<name>_<nn>.jpg`, `photos` of each of the first `products` products.

    With `held_out_folder`, write `held_out` more photos of each product there in the same way, with other angles
    and lights, to measure a model on. Deterministic for a seed.

    Raises:
        ValueError: `products` is larger than the number of known products.
        OSError: a photo cannot be written.
    """
    if not 0 <= products <= len(PRODUCTS):
        raise ValueError(f"{products} products asked for, but {len(PRODUCTS)} are known; ask for fewer.")
    for index, product in enumerate(PRODUCTS[:products]):
        for number in range(1, photos + 1):
            _write(folder, product, number, np.random.default_rng([seed, index, number]))
        if held_out_folder is None:
            continue
        for number in range(1, held_out + 1):
            _write(held_out_folder, product, photos + number, np.random.default_rng([seed, index, number, 1]))


def draw_photo(product: Product, random: Random) -> Image.Image:
    """One photo of the product, 480 x 360 or 360 x 480 RGB, with angle, light and background from `random`."""
    size = LANDSCAPE if random.random() < 0.6 else PORTRAIT
    view = _view(product, size, random)
    solids = draw_solids(product.build(), view).resize(size, Image.Resampling.BOX)
    foot = (view.centre[0] / _OVERSIZE, view.centre[1] / _OVERSIZE)
    depth = 0.35 + 2.2 * np.sin(view.pitch) * random.uniform(0.7, 1.2)

    scene = _backdrop(size, (foot[0], foot[1] - float(depth) * view.scale / _OVERSIZE), random)
    scene.paste((12, 10, 16), mask=_shadow(solids, view, foot, random))
    scene.paste(solids, mask=solids)
    return _photograph(scene, view, random)


def _write(folder: Path, product: Product, number: int, random: Random) -> None:
    path = folder / product.sku / f"{product.name}_{number:02d}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_photo(product, random).save(path, "JPEG", quality=_QUALITY)


def _view(product: Product, size: tuple[int, int], random: Random) -> View:
    """The position of camera and lamp, in pixels of the oversize picture."""
    width, height = size[0] * _OVERSIZE, size[1] * _OVERSIZE
    scale = min(0.72 * width / product.width, 0.7 * height / product.height) * random.uniform(0.68, 1.0)
    pitch = random.uniform(0.1, 0.6)
    middle = height * random.uniform(0.47, 0.56)
    side = random.choice((-1, 1)) * random.uniform(0.3, 1.0)
    return View(
        size=(int(width), int(height)),
        centre=(
            width * random.uniform(0.43, 0.57),
            middle + product.height * scale * float(np.cos(pitch)) / 2,
        ),
        scale=scale,
        yaw=random.uniform(-0.75, 0.75),
        pitch=pitch,
        roll=random.normal(0, 0.05),
        light=(side, random.uniform(0.5, 1.0), random.uniform(0.4, 1.0)),
    )


def _backdrop(size: tuple[int, int], vanishing: tuple[float, float], random: Random) -> Image.Image:
    """A wall and, below the vanishing point's row, a table; out of focus, as behind most product photos."""
    width, height = size
    horizon = vanishing[1]
    wall, table = _tinted(_WALLS, random), _tinted(_TABLES, random)
    image = Image.new("RGB", size, wall)
    pen = ImageDraw.Draw(image)
    match random.integers(4):
        case 0:
            step = int(random.integers(24, 60))
            for x in range(int(random.integers(-step, 0)), width, step):
                pen.rectangle((x, 0, x + step // 2, height), fill=_shade(wall, 0.94))
        case 1:
            step = int(random.integers(40, 80))
            for x in range(-step // 2, width, step):
                pen.line((x, 0, x, height), fill=_shade(wall, 0.86), width=2)
            for y in range(int(horizon), 0, -step):
                pen.line((0, y, width, y), fill=_shade(wall, 0.86), width=2)
        case 2:
            for x, y, r in random.uniform((0, 0, 10), (width, max(horizon, 20), 34), (14, 3)):
                pen.circle((x, y), r, fill=_shade(wall, random.uniform(0.9, 1.14)))
    pen.rectangle((0, horizon, width, height), fill=table)
    match random.integers(3):
        case 0:
            for x in range(-3 * width, 4 * width, int(random.integers(70, 130))):
                foot = vanishing[0] + (x - vanishing[0]) * 1.6
                head = vanishing[0] + (x - vanishing[0]) * 0.7
                pen.line((head, horizon, foot, height), fill=_shade(table, 0.84), width=2)
        case 1:
            hem = horizon + (height - horizon) * random.uniform(0.05, 0.2)
            pen.rectangle((0, hem, width, height), fill=_tinted(_WALLS, random))
    pen.line((0, horizon, width, horizon), fill=_shade(table, 0.78), width=3)
    return image.filter(ImageFilter.GaussianBlur(random.uniform(1.2, 3.0)))


def _shadow(solids: Image.Image, view: View, foot: tuple[float, float], random: Random) -> Image.Image:
    """The product's shadow on the table, as a mask: a long soft one and a short dark one."""
    width, height = solids.size
    left, _, right, _ = solids.getbbox() or (0, 0, width, height)
    radius = (right - left) / 8 * 0.86
    flat = radius * (0.16 + 0.8 * float(np.sin(view.pitch)))
    away = -radius * view.light[0] * random.uniform(0.3, 0.6)
    # Drawn at a quarter of the size, because it is soft.
    shadow = Image.new("L", (width // 4, height // 4))
    for shift, grow, dark, blur in ((away, 1.15, 100, 5.0), (away * 0.15, 1.0, 150, 2.0)):
        layer = Image.new("L", shadow.size)
        x, y = foot[0] / 4 + shift, foot[1] / 4
        box = (x - radius * grow, y - flat * grow, x + radius * grow, y + flat * grow)
        ImageDraw.Draw(layer).ellipse(box, fill=dark)
        shadow = ImageChops.lighter(shadow, layer.filter(ImageFilter.GaussianBlur(blur)))
    return shadow.resize(solids.size, Image.Resampling.BICUBIC)


def _photograph(scene: Image.Image, view: View, random: Random) -> Image.Image:
    """The scene with random light, warmth, vignetting, grain and blur."""
    x = np.linspace(-1, 1, scene.width, dtype=np.float32)[None, :, None]
    y = np.linspace(-1, 1, scene.height, dtype=np.float32)[:, None, None]
    slope, vignette = random.uniform(0, 0.11, 2).astype(np.float32)
    falloff = 1 + slope * (np.float32(np.sign(view.light[0])) * x - y) - vignette * (x * x + y * y)
    warmth = random.normal(0, 0.06)
    lamp = np.array([1 + warmth, 1 + warmth * 0.2, 1 - warmth]) * random.uniform(0.78, 1.16)
    grain = random.standard_normal((scene.height, scene.width, 1), dtype=np.float32)
    pixels = np.asarray(scene) * lamp.astype(np.float32)
    pixels *= falloff
    pixels += grain * np.float32(random.uniform(0.8, 4.5))
    image = Image.fromarray(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8))
    blur = random.normal(0.2, 0.4)
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur > 0 else image


def _tinted(colours: tuple[Colour, ...], random: Random) -> Colour:
    chosen = np.array(colours[int(random.integers(len(colours)))]) + random.normal(0, 7, 3)
    return _shade((int(chosen[0]), int(chosen[1]), int(chosen[2])), 1.0)


def _shade(colour: Colour, gain: float) -> Colour:
    red, green, blue = (max(0, min(255, int(value * gain))) for value in colour)
    return red, green, blue
