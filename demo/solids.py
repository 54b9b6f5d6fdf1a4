"""Renders simple solids: solids of revolution (mugs, balls), flat faces (boxes) and tubes (handles)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Floats = npt.NDArray[np.floating[Any]]
Colour = tuple[int, int, int]

_CAMERA_DISTANCE = 7.0
_SAMPLES_A_PIXEL = 1.25


@dataclass(frozen=True)
class View:
    """The camera's view of a product. Angles in radians, scale in pixels per unit; (0, 0, 0) projects to `centre`.

    Products stand on y = 0 with their front towards z; x is right and y is up. `light` points to the lamp.
    """

    size: tuple[int, int]
    centre: tuple[float, float]
    scale: float
    yaw: float
    pitch: float
    roll: float
    light: tuple[float, float, float]

    def turn(self, points: Floats) -> Floats:
        """Points of shape (..., 3), turned about the upright axis by `yaw`."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        sine, cosine = np.sin(self.yaw), np.cos(self.yaw)
        return np.stack([x * cosine + z * sine, y, z * cosine - x * sine], axis=-1)

    def project(self, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Columns and rows in pixels, and nearness to the camera in units, of turned points."""
        near = z * np.cos(self.pitch) + y * np.sin(self.pitch)
        scale = self.scale * _CAMERA_DISTANCE / (_CAMERA_DISTANCE - near)
        right, up = x * scale, (y * np.cos(self.pitch) - z * np.sin(self.pitch)) * scale
        sine, cosine = np.sin(self.roll), np.cos(self.roll)
        return self.centre[0] + right * cosine + up * sine, self.centre[1] + right * sine - up * cosine, near

    def brightness(self, normals: Floats) -> Floats:
        """Brightness of surfaces with turned normals of shape (..., 3); 1 shows their own colour."""
        lamp = np.array(self.light) / np.linalg.norm(self.light)
        return np.asarray(0.62 + 0.5 * np.clip(normals @ lamp, 0, 1))


@dataclass(frozen=True)
class Turned:
    """A solid of revolution with a skin; `outline` is (radius, height) from bottom to top.

    The skin's left and right edges meet at the back; its bottom row is the start of the outline.
    """

    outline: Sequence[tuple[float, float]]
    skin: Image.Image
    gloss: float = 0.25

    def nearness(self, view: View) -> float:
        return 0.0

    def draw(self, canvas: Image.Image, view: View) -> None:
        corners = np.array(self.outline, dtype=float)
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
        along = np.linspace(0, length[-1], max(3, int(length[-1] * view.scale * _SAMPLES_A_PIXEL)))
        radius, height = (np.interp(along, length, axis) for axis in corners.T)
        out, up = np.gradient(height), -np.gradient(radius)
        norm = np.hypot(out, up) + 1e-9
        rings = np.stack([radius, height, out / norm, up / norm, 1 - along / length[-1]]).astype(np.float32)
        layer = np.zeros((canvas.height, canvas.width), np.uint32)
        # Painted from the bottom up: seen from above, higher parts hide lower ones.
        for start in range(0, len(along), 48):
            self._draw_rings(layer, rings[:, start : start + 48, None], view)
        canvas.alpha_composite(Image.fromarray(layer.view(np.uint8).reshape(*layer.shape, 4)))

    def _draw_rings(self, layer: npt.NDArray[np.uint32], rings: Floats, view: View) -> None:
        """Draw the visible side of rings: radius, height, outward and upward normal, and the skin's coordinate v."""
        radius, height, out, up, v = rings
        sine, cosine = np.float32(np.sin(view.pitch)), np.float32(np.cos(view.pitch))
        hidden = np.clip(-(up + 0.03) * sine / (np.maximum(out, 1e-3) * cosine), -1, 1)
        reach = float(np.arccos(hidden.min()))
        steps = int(2 * reach * radius.max() * view.scale * _SAMPLES_A_PIXEL) + 8
        angle = np.linspace(-reach, reach, steps, dtype=np.float32)
        right, front = np.sin(angle), np.cos(angle)
        columns, rows, _ = view.project(radius * right, height, radius * front)
        column, row = np.rint(columns).astype(np.int32), np.rint(rows).astype(np.int32)
        seen = out * front * cosine + up * sine > -0.02
        seen &= (column >= 0) & (row >= 0) & (column < layer.shape[1]) & (row < layer.shape[0])

        lamp = np.array(view.light, np.float32) / np.float32(np.linalg.norm(view.light))
        half = lamp + np.array((0, sine, cosine), np.float32)
        half /= np.linalg.norm(half)
        shine, glint = (
            np.clip(out * (right * side + front * ahead) + up * above, 0, 1)
            for side, above, ahead in (lamp, half)
        )
        for _ in range(5):
            glint *= glint
        skin = np.asarray(self.skin.convert("RGB"))
        u = ((0.5 + (angle - view.yaw) / (2 * np.pi)) % 1 * (skin.shape[1] - 1)).astype(int)
        texture = skin[(v[:, 0] * (skin.shape[0] - 1)).astype(int)][:, u]
        gain, extra = 0.5 + 0.6 * shine, 255 * self.gloss * glint
        red, green, blue = (
            np.minimum(texture[..., channel] * gain + extra, 255).astype(np.uint32) for channel in range(3)
        )
        packed = red | green << 8 | blue << 16 | np.uint32(255 << 24)
        layer[row[seen], column[seen]] = packed[seen]


@dataclass(frozen=True)
class Disc:
    """A horizontal disc of one colour at `height`."""

    radius: float
    height: float
    colour: Colour

    def nearness(self, view: View) -> float:
        return 0.0

    def draw(self, canvas: Image.Image, view: View) -> None:
        angle = np.linspace(0, 2 * np.pi, 90)
        x, z = self.radius * np.cos(angle), self.radius * np.sin(angle)
        columns, rows, _ = view.project(x, np.full_like(x, self.height), z)
        gain = float(view.brightness(np.array([0.0, 1.0, 0.0])))
        fill = tuple(min(255, int(value * gain)) for value in self.colour)
        ImageDraw.Draw(canvas).polygon(list(zip(columns, rows, strict=True)), fill=fill)


@dataclass(frozen=True)
class Flat:
    """A picture on a face with four corners, clockwise from the top left as seen from outside."""

    corners: Sequence[tuple[float, float, float]]
    picture: Image.Image

    def nearness(self, view: View) -> float:
        turned = view.turn(np.array(self.corners, dtype=float))
        return float(view.project(*turned.T)[2].mean())

    def draw(self, canvas: Image.Image, view: View) -> None:
        turned = view.turn(np.array(self.corners, dtype=float))
        columns, rows, _ = view.project(*turned.T)
        quad = np.stack([columns, rows], axis=1)
        across, down = quad[1] - quad[3], quad[2] - quad[0]
        if across[0] * down[1] - across[1] * down[0] <= 0:
            return  # seen from behind
        normal = np.cross(turned[1] - turned[3], turned[0] - turned[2])
        light = view.brightness(normal / np.linalg.norm(normal))
        lit = self.picture.convert("RGB").point(lambda value: value * float(light))
        left, top = np.floor(quad.min(axis=0)).astype(int) - 1
        right, bottom = np.ceil(quad.max(axis=0)).astype(int) + 2
        inside = [(x - left, y - top) for x, y in quad]
        size = (int(right - left), int(bottom - top))
        warped = lit.transform(
            size, Image.Transform.PERSPECTIVE, _unwarp(inside, lit.size), Image.Resampling.BILINEAR
        )
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon(inside, fill=255, outline=255)
        canvas.paste(warped, (int(left), int(top)), mask)


@dataclass(frozen=True)
class Tube:
    """A rod along a path of points, such as a handle, spout or stem; `on_top` draws it above all other solids."""

    path: Sequence[tuple[float, float, float]]
    radius: float
    colour: Colour
    on_top: bool = False

    def nearness(self, view: View) -> float:
        return np.inf if self.on_top else float(view.turn(np.array(self.path, dtype=float))[:, 2].mean())

    def draw(self, canvas: Image.Image, view: View) -> None:
        knots = np.array(self.path, dtype=float)
        spread = np.linspace(0, len(knots) - 1, 70)
        smooth = np.stack([np.interp(spread, np.arange(len(knots)), axis) for axis in knots.T], axis=1)
        columns, rows, near = view.project(*view.turn(smooth).T)
        order = np.argsort(near)
        pen = ImageDraw.Draw(canvas)
        size = self.radius * view.scale
        for part, gain, shift in ((1.0, 0.62, 0.0), (0.75, 0.85, 0.15), (0.45, 1.05, 0.3), (0.15, 1.3, 0.4)):
            fill = tuple(min(255, int(value * gain)) for value in self.colour)
            for x, y in zip(columns[order], rows[order], strict=True):
                middle = (x + size * shift * np.sign(view.light[0]), y - size * shift)
                pen.circle(middle, size * part, fill=fill)


Solid = Turned | Disc | Flat | Tube


def draw_solids(solids: Sequence[Solid], view: View) -> Image.Image:
    """Draw the solids as an RGBA picture of the view's size; nearer ones hide others, at equal distance later ones."""
    canvas = Image.new("RGBA", view.size)
    for solid in sorted(solids, key=lambda solid: solid.nearness(view)):
        solid.draw(canvas, view)
    return canvas


def _unwarp(quad: Sequence[tuple[float, float]], size: tuple[int, int]) -> list[float]:
    """Pillow's eight perspective coefficients, which map a pixel of the quad to the picture."""
    # The outermost pixels are a margin, because the face's edge may reach a little beyond the quad.
    right, bottom = size[0] - 2, size[1] - 2
    rows, values = [], []
    for (x, y), (u, v) in zip(quad, ((2, 2), (right, 2), (right, bottom), (2, bottom)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows, float), np.array(values, float))]
