"""The twelve products of the demo's shop, as solids with drawn skins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import ImageDraw

from demo.shapes import arc, bulge, carton, checkered, plain, sheet, star, write
from demo.solids import Colour, Disc, Flat, Solid, Tube, Turned

CREAM: Colour = (247, 238, 214)
WHITE: Colour = (246, 246, 242)


@dataclass(frozen=True)
class Product:
    """One product: its SKU, the name in its photos' file names, its approximate size in units, and its solids."""

    sku: str
    name: str
    width: float
    height: float
    build: Callable[[], Sequence[Solid]]


def mug() -> list[Solid]:
    skin, pen = sheet(720, 260, WHITE)
    for x in range(0, 720, 72):
        pen.rectangle((x, 0, x + 35, 260), fill=(38, 92, 150))
    pen.rectangle((0, 0, 720, 16), fill=WHITE)
    pen.rectangle((0, 240, 720, 260), fill=WHITE)
    handle = Tube(arc(0.58, 0.62, 0.36, 0.36, -1.75, 1.75), 0.085, WHITE)
    body = Turned([(0.56, 0.0), (0.62, 0.06), (0.62, 1.2)], skin, 0.4)
    return [handle, body, Disc(0.62, 1.2, WHITE), Disc(0.55, 1.2, (74, 42, 24))]


def tin() -> list[Solid]:
    skin, pen = sheet(720, 300, (196, 30, 38))
    for x in (360, 0, 720):
        pen.rounded_rectangle((x - 105, 60, x + 105, 240), 16, fill=CREAM)
        pen.ellipse((x - 42, 96, x + 42, 172), fill=(216, 48, 38))
        pen.polygon(star(x, 104, 24), fill=(54, 128, 58))
        write(pen, x, 206, "TOMATO", 40, (120, 24, 20))
    for y in (14, 278):
        pen.rectangle((0, y, 720, y + 8), fill=(240, 196, 84))
    metal = plain((196, 200, 204))
    rims = [Turned([(0.6, y), (0.63, y + 0.03), (0.6, y + 0.06)], metal, 0.5) for y in (0.0, 1.4)]
    lid = [Disc(0.6, 1.46, (176, 180, 186)), Disc(0.5, 1.46, (202, 206, 210))]
    return [rims[0], Turned([(0.59, 0.06), (0.59, 1.4)], skin, 0.3), rims[1], *lid]


def bottle() -> list[Solid]:
    skin, pen = sheet(640, 520, (34, 104, 58))
    for x in (320, 0, 640):
        pen.rectangle((x - 100, 270, x + 100, 450), fill=CREAM)
        pen.rectangle((x - 92, 278, x + 92, 442), outline=(150, 130, 60), width=4)
        pen.ellipse((x - 46, 296, x - 2, 354), fill=(104, 130, 40))
        pen.ellipse((x + 4, 304, x + 44, 358), fill=(82, 110, 34))
        write(pen, x, 402, "OLIVE", 46, (62, 74, 24))
    glass = [
        (0.4, 0.0),
        (0.44, 0.04),
        (0.44, 1.1),
        *bulge([(0.44, 1.1), (0.44, 1.45), (0.15, 1.35), (0.14, 1.75)]),
    ]
    cork = Turned([(0.17, 1.73), (0.17, 1.95)], plain((150, 108, 62)), 0.1)
    return [Turned(glass, skin, 0.7), cork, Disc(0.17, 1.95, (176, 132, 82))]


def star_box() -> list[Solid]:
    front, pen = sheet(300, 400, (36, 74, 178))
    pen.polygon(star(150, 176, 118), fill=(252, 208, 40))
    write(pen, 150, 346, "NOVA", 62, WHITE)
    side, pen = sheet(200, 400, (28, 58, 150))
    for y in range(40, 400, 80):
        pen.polygon(star(100, y, 24), fill=(252, 208, 40))
    top, pen = sheet(300, 200, (52, 96, 204))
    pen.polygon(star(150, 100, 62), fill=(252, 208, 40))
    return [*carton((1.05, 1.4, 0.7), front, side, top)]


def orange() -> list[Solid]:
    skin, pen = sheet(600, 300, (240, 132, 20))
    random = np.random.default_rng(1)
    for x, y in random.uniform((0, 0), (600, 300), (900, 2)):
        pen.circle((x, y), 1.6, fill=(218, 108, 10))
    pen.rectangle((0, 0, 600, 10), fill=(120, 130, 40))
    half = np.linspace(-np.pi / 2, np.pi / 2, 120)
    ball = [(0.72 * float(np.cos(a)), 0.7 + 0.7 * float(np.sin(a))) for a in half]
    stem = Tube([(0, 1.36, 0), (0.02, 1.5, 0)], 0.04, (96, 72, 30), True)
    leaf = Tube([(0.02, 1.46, 0), (0.3, 1.6, 0.1), (0.52, 1.55, 0.16)], 0.07, (60, 140, 50), True)
    return [Turned(ball, skin, 0.35), stem, leaf]


def teapot() -> list[Solid]:
    teal: Colour = (38, 156, 152)
    skin, pen = sheet(720, 300, teal)
    for row, y in enumerate(range(40, 300, 56)):
        for x in range(-20 + 36 * (row % 2), 760, 72):
            pen.circle((x, y), 14, fill=WHITE)
    body = bulge([(0.42, 0.0), (1.05, 0.1), (1.0, 0.95), (0.36, 1.02)])
    lid = bulge([(0.4, 1.0), (0.4, 1.16), (0.1, 1.18), (0.06, 1.2)])
    knob = bulge([(0.05, 1.18), (0.16, 1.22), (0.14, 1.36), (0.0, 1.36)])
    spout = Tube([(0.6, 0.35, 0), (0.85, 0.5, 0), (0.98, 0.8, 0), (1.14, 1.0, 0)], 0.1, teal)
    handle = Tube(arc(-0.66, 0.6, 0.42, 0.34, 1.4, 4.9), 0.075, WHITE)
    return [
        spout,
        handle,
        Turned(body, skin, 0.5),
        Turned(lid, plain(teal), 0.4),
        Turned(knob, plain(WHITE), 0.4),
    ]


def gift() -> list[Solid]:
    pink, rose, gold = (250, 226, 232), (226, 84, 130), (236, 186, 62)
    wall, top = (checkered(320, 320, pink, rose, 40) for _ in range(2))
    for face, ribbons in ((wall, [(136, 0, 184, 320)]), (top, [(136, 0, 184, 320), (0, 136, 320, 184)])):
        for ribbon in ribbons:
            ImageDraw.Draw(face).rectangle(ribbon, fill=gold)
    around = np.linspace(0, 2 * np.pi, 30)
    wide, high = 0.28 * (1 - np.cos(around)), 1.1 + 0.1 * (1 - np.cos(around)) + 0.15 * np.sin(around)
    loops = [
        Tube([(side * float(x), float(y), 0.05) for x, y in zip(wide, high, strict=True)], 0.06, gold, True)
        for side in (-1, 1)
    ]
    knot = Tube([(0, 1.12, 0), (0, 1.16, 0.04)], 0.1, gold, True)
    return [*carton((1.15, 1.05, 1.15), wall, wall, top), *loops, knot]


def book() -> list[Solid]:
    cover, pen = sheet(300, 420, (44, 38, 84))
    pen.circle((206, 118), 44, fill=(250, 232, 160))
    for x, y in ((50, 60), (96, 130), (130, 44), (260, 40), (40, 190)):
        pen.polygon(star(x, y, 9, 4), fill=WHITE)
    pen.polygon(
        [(0, 330), (80, 230), (160, 310), (230, 240), (300, 320), (300, 420), (0, 420)], fill=(64, 92, 120)
    )
    pen.polygon([(0, 370), (110, 310), (220, 370), (300, 340), (300, 420), (0, 420)], fill=(30, 66, 70))
    write(pen, 150, 386, "NIGHT WALK", 40, CREAM)
    spine, pages = plain((32, 28, 62)), sheet(80, 420, CREAM)
    for x in range(0, 80, 8):
        pages[1].line((x, 0, x, 420), fill=(206, 194, 166), width=2)
    faces = carton((1.15, 1.6, 0.3), cover, pages[0], pages[0].resize((420, 80)))
    return [*faces[:3], Flat(faces[3].corners, spine), faces[4]]


def milk() -> list[Solid]:
    wall, pen = sheet(260, 380, WHITE)
    pen.rectangle((0, 250, 260, 380), fill=(96, 188, 232))
    pen.ellipse((-60, 200, 140, 320), fill=(96, 188, 232))
    pen.ellipse((120, 216, 320, 330), fill=(96, 188, 232))
    write(pen, 130, 120, "MILK", 92, (28, 88, 160))
    side, pen = sheet(260, 380, (232, 236, 238))
    pen.rectangle((0, 250, 260, 380), fill=(80, 168, 214))
    for x, y, r in ((70, 70, 44), (180, 130, 52), (90, 200, 34)):
        pen.ellipse((x - r, y - r * 0.8, x + r, y + r * 0.8), fill=(40, 40, 46))
    w, h, ridge = 0.45, 1.25, 1.65
    slope, gable = plain((96, 188, 232)), plain((206, 224, 232))
    roof = [
        Flat([(-w, ridge, 0.02), (w, ridge, 0.02), (w, h, w), (-w, h, w)], slope),
        Flat([(w, ridge, -0.02), (-w, ridge, -0.02), (-w, h, -w), (w, h, -w)], slope),
        Flat([(w, ridge, 0.02), (w, ridge, -0.02), (w, h, -w), (w, h, w)], gable),
        Flat([(-w, ridge, -0.02), (-w, ridge, 0.02), (-w, h, w), (-w, h, -w)], gable),
    ]
    fold = carton((0.9, 0.16, 0.05), plain(WHITE), plain(WHITE), plain(WHITE))
    raised = [Flat([(a, b + ridge - 0.02, c) for a, b, c in face.corners], face.picture) for face in fold]
    return [*carton((0.9, h, 0.9), wall, side, slope)[:4], *roof, *raised]


def jam() -> list[Solid]:
    skin, pen = sheet(720, 330, (122, 18, 58))
    for x in (360, 0, 720):
        pen.ellipse((x - 110, 90, x + 110, 270), fill=CREAM)
        for dx, dy in ((-24, 140), (20, 132), (0, 164)):
            pen.circle((x + dx, dy), 20, fill=(150, 24, 70))
        write(pen, x, 222, "BERRY", 48, (110, 16, 52))
    cloth = checkered(720, 60, WHITE, (206, 40, 52), 20)
    glass = bulge([(0.5, 0.0), (0.66, 0.02), (0.66, 0.5), (0.66, 0.98), (0.5, 1.02)])
    lid = Turned([(0.58, 1.0), (0.56, 1.22)], cloth, 0.1)
    top = Turned([(0.56, 1.22), (0.0, 1.25)], checkered(720, 100, WHITE, (206, 40, 52), 20), 0.1)
    return [Turned(glass, skin, 0.6), lid, top]


def ball() -> list[Solid]:
    skin, pen = sheet(720, 360, WHITE)
    colours = [(232, 62, 58), WHITE, (252, 204, 44), WHITE, (50, 140, 220), WHITE]
    for index, colour in enumerate(colours):
        pen.rectangle((index * 120, 0, index * 120 + 119, 360), fill=colour)
    pen.rectangle((0, 0, 720, 26), fill=(40, 170, 120))
    half = np.linspace(-np.pi / 2, np.pi / 2, 120)
    return [Turned([(0.8 * float(np.cos(a)), 0.8 + 0.8 * float(np.sin(a))) for a in half], skin, 0.6)]


def vase() -> list[Solid]:
    skin, pen = sheet(720, 360, (188, 98, 62))
    for y, colour in ((90, CREAM), (190, (64, 44, 40)), (270, CREAM)):
        zigzag = [(x, y + (26 if x // 36 % 2 else -26)) for x in range(0, 757, 36)]
        pen.line(zigzag, fill=colour, width=20, joint="curve")
    body = bulge([(0.32, 0.0), (0.95, 0.35), (0.75, 1.2), (0.05, 1.25), (0.36, 1.7)])
    inside = Disc(0.3, 1.7, (70, 34, 24))
    return [Turned(body, skin, 0.15), Disc(0.36, 1.7, (204, 116, 78)), inside]


PRODUCTS: tuple[Product, ...] = (
    Product("MUG-STRIPED-001", "striped-mug", 1.7, 1.3, cache(mug)),
    Product("TIN-TOMATO-002", "tomato-tin", 1.3, 1.6, cache(tin)),
    Product("BOTTLE-OLIVE-003", "olive-oil", 1.0, 2.0, cache(bottle)),
    Product("BOX-STAR-004", "star-box", 1.4, 1.5, cache(star_box)),
    Product("FRUIT-ORANGE-005", "orange", 1.5, 1.6, cache(orange)),
    Product("TEAPOT-DOTS-006", "dotted-teapot", 2.6, 1.5, cache(teapot)),
    Product("GIFT-CHECK-007", "gift-box", 1.8, 1.6, cache(gift)),
    Product("BOOK-NIGHT-008", "night-walk", 1.3, 1.7, cache(book)),
    Product("MILK-CARTON-009", "milk", 1.3, 1.9, cache(milk)),
    Product("JAM-BERRY-010", "berry-jam", 1.4, 1.4, cache(jam)),
    Product("BALL-BEACH-011", "beach-ball", 1.6, 1.7, cache(ball)),
    Product("VASE-ZIGZAG-012", "zigzag-vase", 1.5, 1.9, cache(vase)),
)
