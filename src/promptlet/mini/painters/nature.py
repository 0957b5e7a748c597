"""Painters of wild places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from promptlet.mini.painters.view import DOT, FIR, GRASS, PAINTS, ROCK, SAND, WATER, WOOD, View
from promptlet.mini.palette import darker, lighter, mix, near
from promptlet.mini.pen import curve_points


def _beach(v: View) -> None:
    v.flat(v.horizon, v.tone(WATER))
    y = v.horizon + v.rng.uniform(0.25, 0.4)
    for dy, colour in ((-0.06, lighter(WATER, 0.7)), (0.0, SAND)):
        shore = curve_points([(-1.6, -0.1), (-0.4, 0.25), (0.3, -0.2), (1.6, 0.1), (1.6, 0.1)])
        v.shape(0, y + dy, 1, v.tone(colour), *shore.ravel(), 1.6, 1.6, -1.6, 1.6)
    x, size, shade = v.about(0, 0.5), v.rng.uniform(0.4, 0.55), v.pick(PAINTS)
    v.pen.line([(x, y - 0.3), (x + 0.08, y + 0.45)], 0.05, v.tone(WOOD))
    for i, colour in enumerate((shade, (250, 245, 235), shade)):
        left = i / 1.5 - 1
        v.shape(x, y - 0.2, size, v.tone(colour, 3), 0, -0.7, left, 0, left + 1 / 1.5, 0)
    v.box(x + 0.2, y + 0.42, 0.5, 0.12, v.pick(PAINTS))


def _desert(v: View) -> None:
    for top, rise, share in ((0.1, 0.3, 0.1), (0.35, 0.3, 0.0), (0.7, 0.3, 0.18)):
        v.hills(top + v.horizon / 2, rise, v.tone(mix(SAND, (215, 140, 80), 0.35 + share)))
    for x in v.rng.permutation([-0.6, 0.0, 0.6])[: v.rng.integers(1, 4)] + v.about(0, 0.15):
        y, size, green = v.rng.uniform(0.4, 0.8), v.rng.uniform(0.45, 0.7), v.tone((75, 140, 85))
        v.pen.rect(x, y - size / 2, size * 0.22, size, green)
        for side, high in ((-1, 0.4), (1, 0.55)):
            arm = np.array([(0, -high), (side * 0.3, -high), (side * 0.3, -high - 0.3)])
            v.pen.line(arm * size + (x, y), size * 0.15, green)


def _forest(v: View) -> None:
    v.flat(v.horizon - 0.05, v.ground(GRASS))
    kind = v.rng.random() < 0.6
    for row, size in ((v.horizon + 0.05, 0.6), (v.horizon + 0.35, 0.85), (0.95, 1.15)):
        for x in np.arange(-1.0, 1.1, size * 0.62) + v.about(0, 0.15):
            v.tree(v.about(x, 0.08), row + v.about(0, 0.06), size, kind)


def _mountain(v: View) -> None:
    base = v.horizon + 0.3
    for x, top, wide in ((-0.65, -0.35, 0.8), (0.7, -0.25, 0.85), (0.0, -0.7, 0.9)):
        v.peak(v.about(x, 0.2), v.about(top, 0.12), base + 0.1, wide, (125, 120, 130))
    v.hills(base + 0.1, 0.15, v.ground(GRASS))
    for x in v.rng.uniform(-0.9, 0.9, 3):
        v.tree(x, base + v.rng.uniform(0.25, 0.5), v.rng.uniform(0.3, 0.45))


def _waterfall(v: View) -> None:
    x, wide, top = v.about(0, 0.25), v.rng.uniform(0.22, 0.36), v.rng.uniform(-0.6, -0.4)
    v.hills(top + 0.15, 0.3, v.tone(FIR))
    rock = v.tone(ROCK)
    v.shape(0, top, 1, rock, -1.6, 0, -0.7, 0.08, 0, 0, 0.8, 0.1, 1.6, 0, 1.6, 2.2, -1.6, 2.2)
    for side in (-1, 1):
        for y in (-0.1, 0.25):
            v.shape(x, y, (side, 1), darker(rock, 0.15), wide + 0.08, -0.1, 0.95, -0.2, 0.8, 0.12)
    v.flat(0.6, v.tone(WATER))
    v.shape(x, top, (wide, 0.66 - top), v.tone((150, 200, 225)), -1, 0, 1, 0, 1.2, 1, -1.2, 1)
    for dx in (-0.6, 0.0, 0.6):
        v.pen.line([(x + dx * wide, top + 0.1), (x + dx * wide * 1.2, 0.6)], 0.06, (235, 245, 250))
    for dx in (-1.0, 0.0, 1.0):
        v.pen.polygon(DOT * (0.24, 0.12) + (x + dx * wide, 0.66), (240, 248, 250))
    v.tree(-0.85, top + 0.15, 0.5)
    v.tree(0.85, top + 0.2, 0.55)


def _cave(v: View) -> None:
    rock, x = v.tone((85, 72, 70)), v.about(0, 0.25)
    v.pen.rect(0, 0, 3.2, 3.2, rock)
    for i, colour in enumerate((darker(rock, 0.3), darker(rock, 0.55), near((190, 220, 235), v.rng))):
        size = (0.95 - 0.2 * i) * v.rng.uniform(0.92, 1.08, 14)
        around = np.arange(14) * np.pi / 7
        ring = np.column_stack([size * np.cos(around), size * 0.8 * np.sin(around)])
        v.pen.polygon(np.add(ring, (x, 0.15)), colour)
    v.flat(0.55, darker(rock, 0.15))
    for dx in np.linspace(-0.95, 0.95, 7) + v.about(0, 0.08):
        high, colour = v.rng.uniform(0.75, 1.2), lighter(rock, v.rng.uniform(0.05, 0.2))
        v.shape(dx, -1.4, (0.13, high), colour, -1, 0, 1, 0, 0, 1)
    for dx in (-0.85, -0.5, 0.6, 0.9):
        v.shape(dx, 0.95, (0.14, v.rng.uniform(0.35, 0.65)), lighter(rock, 0.1), -1, 0, 0, -1, 1, 0)


def _volcano(v: View) -> None:
    top, x, rock = v.rng.uniform(-0.35, -0.1), v.about(0, 0.2), v.tone((95, 80, 80))
    for i in range(4):
        grey = 120 + 12 * i
        v.cloud(x + 0.12 * i * v.about(0, 1), top - 0.12 - 0.2 * i, v.tone((grey, grey - 5, grey - 2)))
    base = 0.7
    v.shape(x, top, (1.2, base - top), rock, -1, 1, -0.21, 0, 0.21, 0, 1, 1)
    v.shape(x, top, (1.2, base - top), darker(rock, 0.2), 0.04, 0, 0.21, 0, 1, 1, 0.29, 1)
    lava = (250, 120, 40)
    v.pen.ellipse(x, top, 0.25, 0.07, lava)
    for side, low in ((-1, 0.2), (0.15, 0.5), (1, 0.1)):
        end = side * (0.3 + 0.3 * low)
        start, fall = side * 0.12, low - top
        v.shape(x, top, 1, lava, start - 0.07, 0, start + 0.07, 0, end + 0.05, fall, end - 0.05, fall)
    v.hills(base + 0.05, 0.12, v.tone((110, 120, 75)))


def _lake(v: View) -> None:
    h, water = v.horizon, v.tone(WATER)
    for x, top, wide in ((-0.5, -0.35, 0.8), (0.55, -0.25, 0.9)):
        v.peak(v.about(x, 0.2), h + top, h + 0.1, wide, (125, 145, 150))
    v.flat(h, v.ground(GRASS))
    v.pen.ellipse(0, 0.55 + h / 2, v.rng.uniform(0.95, 1.15), 0.35, water)
    for x, y in ((-0.3, 0.42), (0.3, 0.6), (-0.1, 0.75)):
        v.pen.ellipse(v.about(x, 0.15), y + h / 2, 0.25, 0.025, lighter(water, 0.35))
    for x in (*v.rng.uniform(-0.95, 0.95, 4), -0.9, 0.9):
        v.tree(x, h + 0.16, v.rng.uniform(0.3, 0.5))


NATURE: dict[str, Callable[[View], None]] = {
    "beach": _beach,
    "cave": _cave,
    "desert": _desert,
    "forest": _forest,
    "lake": _lake,
    "mountain": _mountain,
    "volcano": _volcano,
    "waterfall": _waterfall,
}
