"""A pen over Pillow: shapes in unit coordinates, moved, turned and scaled by an affine map.

Coordinates: x to the right, y down, the picture is -1 to 1 in both. The canvas is drawn at `SUPERSAMPLE`
times the picture's size and averaged down, which smooths all edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageDraw

from promptlet.mini.palette import Colour

SIZE = 64
SUPERSAMPLE = 3
CANVAS = SIZE * SUPERSAMPLE
PAPER: Colour = (246, 244, 238)
INK: Colour = (40, 38, 45)
PATTERNS = ("plain", "striped", "spotted", "checked")

Point = tuple[float, float]


class Pen:
    """Draws on an image. ``sketch``: outlines in ink instead of filled shapes."""

    def __init__(self, image: Image.Image, sketch: bool = False) -> None:
        self.image = image
        self.sketch = sketch
        self._draw = ImageDraw.Draw(image)
        self._map = np.array([[CANVAS / 2, 0.0, CANVAS / 2], [0.0, CANVAS / 2, CANVAS / 2]])

    @contextmanager
    def moved(
        self,
        x: float = 0.0,
        y: float = 0.0,
        scale: float | tuple[float, float] = 1.0,
        angle: float = 0.0,
        shear: float = 0.0,
    ) -> Iterator[Pen]:
        """What is drawn inside is scaled, sheared, turned by ``angle`` degrees (clockwise), then moved."""
        before = self._map
        wide, high = scale if isinstance(scale, tuple) else (scale, scale)
        turn = np.deg2rad(angle)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        inner = rotation @ np.array([[wide, shear * high], [0.0, high]])
        linear = before[:, :2]
        self._map = np.column_stack([linear @ inner, linear @ np.array([x, y]) + before[:, 2]])
        try:
            yield self
        finally:
            self._map = before

    def polygon(self, points: Sequence[Point] | np.ndarray, fill: Colour) -> None:
        """A filled polygon."""
        corners = self._pixels(points)
        if self.sketch:
            self._draw.polygon(corners, fill=PAPER)
            self._draw.line([*corners, corners[0]], fill=INK, width=SUPERSAMPLE, joint="curve")
        else:
            self._draw.polygon(corners, fill=fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour, angle: float = 0.0) -> None:
        """A filled ellipse with radii ``rx`` and ``ry``, turned by ``angle`` degrees about its centre."""
        self.polygon(ellipse_points(x, y, rx, ry, angle), fill)

    def rect(self, x: float, y: float, width: float, height: float, fill: Colour, angle: float = 0.0) -> None:
        """A filled rectangle about its centre (x, y)."""
        self.polygon(rect_points(x, y, width, height, angle), fill)

    def line(self, points: Sequence[Point] | np.ndarray, width: float, fill: Colour) -> None:
        """A line through ``points`` with round ends; ``width`` in unit coordinates."""
        corners = self._pixels(points)
        thick = max(1, round(width * float(np.sqrt(abs(np.linalg.det(self._map[:, :2]))))))
        if self.sketch:
            thick, fill = min(thick, 2 * SUPERSAMPLE), INK
        self._draw.line(corners, fill=fill, width=thick, joint="curve")
        radius = thick / 2
        for px, py in (corners[0], corners[-1]):
            self._draw.ellipse((px - radius, py - radius, px + radius, py + radius), fill=fill)

    def patterned(
        self,
        points: Sequence[Point] | np.ndarray,
        pattern: str,
        base: Colour,
        ink: Colour,
        angle: float = 0.0,
    ) -> None:
        """A polygon of colour ``base`` with a pattern of ``PATTERNS`` in ``ink``, in unit coordinates."""
        corners = np.asarray(points, dtype=float)
        self.polygon(corners, base)
        if pattern == "plain":
            return
        covered = self.image.copy()
        over = Pen(covered, self.sketch)
        over._map = self._map
        for mark in pattern_marks(pattern, corners, angle):
            over.polygon(mark, ink)
        mask = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(mask).polygon(self._pixels(corners), fill=255)
        self.image.paste(covered, (0, 0), mask)

    def _pixels(self, points: Sequence[Point] | np.ndarray) -> list[Point]:
        mapped = np.asarray(points, dtype=float) @ self._map[:, :2].T + self._map[:, 2]
        return [(float(x), float(y)) for x, y in mapped]


def new_canvas(fill: Colour = PAPER) -> Image.Image:
    """An empty picture at drawing size."""
    return Image.new("RGB", (CANVAS, CANVAS), fill)


def finished(canvas: Image.Image) -> Image.Image:
    """The picture at its own size, 64 x 64."""
    return canvas.reduce(SUPERSAMPLE)


def ellipse_points(
    x: float, y: float, rx: float, ry: float, angle: float = 0.0, count: int = 28
) -> np.ndarray:
    """Points (count, 2) around an ellipse."""
    turn, around = np.deg2rad(angle), np.linspace(0.0, 2 * np.pi, count, endpoint=False)
    a, b = rx * np.cos(around), ry * np.sin(around)
    return np.column_stack([x + a * np.cos(turn) - b * np.sin(turn), y + a * np.sin(turn) + b * np.cos(turn)])


def rect_points(x: float, y: float, width: float, height: float, angle: float = 0.0) -> np.ndarray:
    """The four corners (4, 2) of a rectangle about its centre."""
    turn = np.deg2rad(angle)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(corners @ rotation.T + [x, y])


def star_points(
    x: float, y: float, outer: float, inner: float, count: int, angle: float = -90.0
) -> np.ndarray:
    """Corners (2 count, 2) of a star with ``count`` points, the first one at ``angle`` degrees."""
    around = np.deg2rad(angle) + np.arange(2 * count) * np.pi / count
    radius = np.where(np.arange(2 * count) % 2 == 0, outer, inner)
    return np.column_stack([x + radius * np.cos(around), y + radius * np.sin(around)])


def curve_points(points: Sequence[Point], count: int = 16) -> np.ndarray:
    """Points (count, 2) of the Bezier curve with these control points."""
    control = np.asarray(points, dtype=float)
    t = np.linspace(0.0, 1.0, count)[:, None, None]
    level = np.repeat(control[None], count, axis=0)
    while level.shape[1] > 1:
        level = level[:, :-1] * (1 - t) + level[:, 1:] * t
    return np.asarray(level[:, 0])


def pattern_marks(pattern: str, corners: np.ndarray, angle: float = 0.0) -> list[np.ndarray]:
    """Marks that cover the polygon's surroundings: bands, dots or fields, one polygon each."""
    centre = (corners.min(0) + corners.max(0)) / 2
    reach = float(np.ptp(corners, axis=0).max()) * 0.75
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    step = reach / 3.5
    at = np.arange(-reach, reach + step, step)
    if pattern == "striped":
        marks = [rect_points(x, 0.0, step * 0.45, 2 * reach) for x in at]
    elif pattern == "spotted":
        rows = [(x + (step / 2 if j % 2 else 0.0), y) for j, y in enumerate(at) for x in at]
        marks = [ellipse_points(x, y, step * 0.27, step * 0.27, count=10) for x, y in rows]
    else:  # checked
        marks = [
            rect_points(x, y, step, step) for i, x in enumerate(at) for j, y in enumerate(at) if (i + j) % 2
        ]
    return [mark @ rotation.T + centre for mark in marks]
