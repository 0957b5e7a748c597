"""Painters of rooms."""

from __future__ import annotations

from collections.abc import Callable

from promptlet.mini.painters.view import FIR, GLOW, PAINTS, SKIES, WOOD, View
from promptlet.mini.palette import Colour, darker, lighter, near

WALLPAPERS = ((225, 215, 195), (205, 220, 225), (220, 205, 210), (210, 222, 200), (235, 225, 205))


def _room(v: View, floor: Colour) -> float:
    """A wall and a floor; where they meet."""
    edge = 0.45 + v.horizon / 2
    v.pen.rect(0, 0, 3.2, 3.2, v.pick(WALLPAPERS))
    v.flat(edge, near(floor, v.rng))
    v.pen.rect(0, edge, 3.2, 0.05, (240, 236, 228))
    return edge


def _pane(v: View, x: float, y: float) -> None:
    v.pen.rect(x, y, 0.56, 0.6, (245, 242, 236))
    for dx in (-0.125, 0.125):
        v.pen.rect(x + dx, y, 0.2, 0.5, near(SKIES[v.time][1], v.rng))


def _bedroom(v: View) -> None:
    y, cloth = _room(v, WOOD), v.pick(PAINTS)
    _pane(v, v.rng.uniform(0.35, 0.6), -0.45)
    v.box(-0.95, y - 0.55, 0.14, 0.95, WOOD)
    v.box(-0.85, y - 0.05, 1.5, 0.3, (235, 230, 222))
    v.pen.polygon([(-0.45, y - 0.14), (0.68, y - 0.14), (0.72, y + 0.25), (-0.45, y + 0.25)], cloth)
    v.box(-0.45, y - 0.14, 0.16, 0.39, lighter(cloth, 0.4))
    v.pen.ellipse(-0.65, y - 0.1, 0.19, 0.1, (250, 250, 248))
    v.box(0.64, y - 0.25, 0.12, 0.62, WOOD)
    v.box(-0.75, -0.65, 0.5, 0.36, lighter(v.pick(PAINTS), 0.4))


def _kitchen(v: View) -> None:
    y, wood = _room(v, (200, 185, 165)), v.pick(PAINTS)
    for x in (-0.9, -0.45, 0.0):
        v.box(x, -0.95, 0.4, 0.5, lighter(wood, 0.15))
        v.box(x, y - 0.4, 0.42, 0.6, wood)
        v.box(x + 0.3, y - 0.25, 0.05, 0.15, darker(wood, 0.5))
    v.box(-1.5, y - 0.5, 2.02, 0.12, (225, 220, 212))
    v.box(-0.46, y - 0.4, 0.46, 0.6, (70, 70, 76))
    v.box(-0.38, y - 0.22, 0.3, 0.28, GLOW)
    v.box(-0.4, y - 0.72, 0.34, 0.2, (190, 60, 50))
    v.box(0.55, -0.75, 0.5, y + 0.95, (225, 230, 234))
    v.box(0.55, -0.2, 0.5, 0.05, (150, 155, 160))
    v.box(0.62, -0.5, 0.05, 0.22, (120, 125, 130))


def _library(v: View) -> None:
    v.pen.rect(0, 0, 3.2, 3.2, near(WOOD, v.rng))
    for y in (-0.92, -0.4, 0.12, 0.64):
        v.box(-1.5, y, 3.0, 0.44, darker(WOOD, 0.55))
        x = -1.0
        while x < 0.95:
            wide, high = v.rng.uniform(0.11, 0.23), v.rng.uniform(0.28, 0.4)
            v.box(x, y + 0.44 - high, wide - 0.02, high, v.pick(PAINTS))
            x += wide
    v.box(v.rng.uniform(-0.3, 0.2), -1.5, 0.09, 3, lighter(WOOD, 0.15))


def _office(v: View) -> None:
    y, x = _room(v, (150, 150, 158)), v.about(0, 0.15)
    _pane(v, -0.6, -0.5)
    v.box(0.3, -0.75, 0.5, 0.4, lighter(v.pick(PAINTS), 0.5))
    v.box(-0.8, y - 0.12, 1.65, 0.1, WOOD)
    v.box(-0.75, y - 0.02, 0.1, 0.5, darker(WOOD, 0.2))
    v.box(0.4, y - 0.02, 0.42, 0.5, darker(WOOD, 0.1))
    v.box(x - 0.05, y - 0.2, 0.12, 0.08, (70, 70, 75))
    v.box(x - 0.38, y - 0.68, 0.78, 0.5, (50, 52, 58))
    v.box(x - 0.32, y - 0.62, 0.66, 0.38, (130, 180, 215))
    v.box(x - 0.24, y - 0.54, 0.35, 0.06, (245, 248, 250))
    v.box(x - 0.24, y - 0.42, 0.48, 0.06, (245, 248, 250))
    v.box(-0.3, y + 0.02, 0.44, 0.3, v.pick(PAINTS))
    v.box(-0.12, y + 0.32, 0.08, 0.3, (60, 60, 65))
    v.box(0.65, y - 0.26, 0.14, 0.14, (190, 110, 80))
    v.pen.ellipse(0.72, y - 0.36, 0.14, 0.14, FIR)


ROOMS: dict[str, Callable[[View], None]] = {
    "bedroom": _bedroom,
    "kitchen": _kitchen,
    "library": _library,
    "office": _office,
}
