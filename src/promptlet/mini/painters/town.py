"""Painters of places that people built outdoors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from promptlet.mini.painters.view import DOT, GLOW, GRASS, PAINTS, ROCK, SAND, WALLS, WATER, WOOD, View
from promptlet.mini.palette import darker, lighter, mix
from promptlet.mini.pen import curve_points, ellipse_points


def _street(v: View) -> None:
    h = v.horizon
    v.flat(h, v.tone((165, 160, 155)))
    v.shape(0, h, 1, v.tone((85, 85, 92)), -0.06, 0, 0.06, 0, 0.75, 1.5, -0.75, 1.5)
    for side in (-1, 1):
        for a, b in ((0.14, 0.3), (0.3, 0.55), (0.55, 1.4)):
            rise = v.rng.uniform(1.3, 1.9)
            v.shape(0, h, (side, 1), v.pick(WALLS), a, -a * rise, b, -b * rise, b, b * 0.75, a, a * 0.75)
            c, d = a + (b - a) * 0.3, min(a + (b - a) * 0.75, 0.95)
            for k in (0.25, 0.55, 0.85, 1.15):
                low = k - 0.17
                v.shape(0, h, (side, 1), v.pane(), c, -c * k, d, -d * k, d, -d * low, c, -c * low)
    for y in (0.15, 0.4, 0.8):
        v.shape(0, h, y, (240, 240, 230), -0.03, 1, 0.03, 1, 0.05, 1.5, -0.05, 1.5)


def _city(v: View) -> None:
    base = v.horizon + 0.6
    for x in np.linspace(-0.95, 0.95, 6):
        v.tower(v.about(x, 0.05), v.rng.uniform(-0.6, 0.1), base, v.rng.uniform(0.3, 0.4))
    v.flat(base, v.tone(mix(WATER, (40, 60, 100), 0.4)))
    for x in v.rng.uniform(-0.9, 0.9, 6):
        v.pen.rect(x, base + v.rng.uniform(0.08, 0.35), 0.2, 0.035, v.pane())


def _harbor(v: View) -> None:
    h = v.horizon
    v.hills(h, 0.15, v.tone((130, 155, 130)))
    v.flat(h, v.tone(WATER))
    for x, size in ((-0.55, 0.8), (0.45, 0.95), (-0.05, 1.1)):
        x, y, hull = v.about(x, 0.15), h + size * 0.5 - 0.15, v.pick(PAINTS)
        v.pen.rect(x, y - size * 0.4, 0.04, size * 0.8, v.tone(WOOD))
        for side, wide in ((1, 0.32), (-1, 0.2)):
            corners = (0.04, -0.75, wide, -0.12, 0.04, -0.12)
            v.shape(x, y, (side * size, size), v.tone((245, 240, 228)), *corners)
        v.shape(x, y, (size, 1), hull, -0.34, -0.06, 0.38, -0.06, 0.26, 0.1, -0.26, 0.1)
    v.box(-1.5, 0.82, 3, 0.8, (150, 140, 130))
    for x in (-0.7, 0.0, 0.7):
        v.box(x, 0.74, 0.1, 0.18, (80, 70, 65))


def _farm(v: View) -> None:
    h = v.horizon
    v.hills(h + 0.05, 0.25, v.ground((140, 180, 95)))
    v.flat(h + 0.1, v.ground((190, 160, 90)))
    vanish = v.about(0, 0.4)
    for x in np.arange(-2.4, 2.5, 0.48):
        v.shape(0, 0, 1, v.tone((95, 140, 60)), vanish + x * 0.15, h + 0.11, x + 0.14, 1.4, x - 0.14, 1.4)
    x, red = v.about(0, 0.5), v.tone((185, 60, 50))
    v.pen.rect(x, h, 0.6, 0.34, red)
    v.shape(x, h, 1, v.ground((110, 60, 55)), -0.36, -0.16, -0.2, -0.38, 0.2, -0.38, 0.36, -0.16)
    v.pen.rect(x, h + 0.06, 0.18, 0.22, (245, 235, 220))
    v.tree(x + 0.6, h + 0.2, 0.5, fir=False)


def _lighthouse(v: View) -> None:
    h, x, shade = v.horizon + 0.2, v.rng.uniform(0.2, 0.5), v.pick(((200, 60, 50), (45, 80, 150)))
    v.flat(h, v.tone(WATER))
    v.shape(x, 0, 1, v.tone(ROCK), -0.6, 1.5, -0.45, 0.75, -0.35, 0.3, 0.3, 0.22, 1.6, 0.3, 1.6, 1.5)
    grass = (-0.38, 0.38, -0.3, 0.24, 0.3, 0.16, 1.6, 0.22, 1.6, 0.42, 0.2, 0.36)
    v.shape(x, 0, 1, v.tone(GRASS), *grass)
    for i in range(5):
        low, wide, colour = 0.25 - i * 0.18, 0.17 - 0.016 * i, v.tone((245, 242, 235), 3) if i % 2 else shade
        v.shape(x, low, 1, colour, -wide, 0, 0.016 - wide, -0.18, wide - 0.016, -0.18, wide, 0)
    v.pen.rect(x, -0.74, 0.15, 0.15, GLOW)
    v.shape(x, -0.81, 0.14, shade, -1, 0, 0, -1, 1, 0)
    for y in (0.1, 0.35, 0.55):
        v.pen.rect(v.rng.uniform(-0.9, -0.3), h + y, 0.25, 0.03, lighter(v.tone(WATER), 0.4))


def _village(v: View) -> None:
    v.hills(v.horizon, 0.35, darker(v.ground((135, 175, 105)), 0.08))
    v.hills(v.horizon + 0.25, 0.15, v.ground(GRASS))
    places = ((-0.65, 0.2), (0.6, 0.22), (0.0, 0.35), (-0.5, 0.65), (0.55, 0.72))
    for x, y in places:
        size = 0.4 + y * 0.45
        if y < 0.5 or v.rng.random() < 0.8:
            v.house(v.about(x, 0.12), y + v.horizon, size)
    for x in v.rng.uniform(-0.9, 0.9, 2):
        v.tree(x, v.horizon + v.rng.uniform(0.6, 0.85), 0.55)


def _bridge(v: View) -> None:
    v.hills(v.horizon, 0.4, v.ground((135, 170, 110)))
    v.flat(0.3, v.tone(WATER))
    deck, count = v.rng.uniform(-0.15, 0.05), int(v.rng.integers(2, 4))
    stone = v.pick(((175, 150, 125), (150, 145, 145), (170, 110, 90)))
    v.pen.rect(0, (deck + 0.55) / 2, 3.2, 0.55 - deck, stone)
    v.pen.rect(0, deck, 3.2, 0.09, v.ground(darker(stone, 0.25)))
    span = 2.0 / count
    for i in range(-1, count + 1):
        x = -1 + span * (i + 0.5)
        arch = ellipse_points(x, 0.56, span * 0.4, 0.42 - deck * 0.6, count=24)
        v.pen.polygon(arch[arch[:, 1] < 0.58], darker(v.tone(WATER), 0.25))
    v.flat(0.55, v.tone(WATER))
    for y in (0.68, 0.82, 0.95):
        v.pen.rect(v.about(0, 0.8), y, 0.35, 0.03, lighter(v.tone(WATER), 0.4))


def _playground(v: View) -> None:
    h, first, second = v.horizon, v.pick(PAINTS), v.pick(PAINTS)
    for x in (-0.7, 0.1, 0.8):
        v.tree(v.about(x, 0.15), h + 0.08, 0.6, fir=False)
    v.flat(h, v.tone(GRASS))
    v.pen.ellipse(0, 0.75, 0.95, 0.2, v.tone(SAND))
    for x in (-0.85, -0.15):
        v.pen.line([(x - 0.1, 0.7), (x, -0.3), (x + 0.1, 0.7)], 0.05, first)
    v.pen.line([(-0.9, -0.3), (-0.1, -0.3)], 0.06, first)
    sway = v.about(0, 0.12)
    for x in (-0.6, -0.4):
        v.pen.line([(x, -0.3), (x + sway, 0.4)], 0.03, (70, 65, 65))
    v.box(-0.68 + sway, 0.38, 0.36, 0.09, (150, 90, 50))
    for x in (0.2, 0.4):
        v.pen.line([(x, -0.2), (x, 0.75)], 0.04, (110, 105, 110))
    for y in (0.0, 0.2, 0.4, 0.6):
        v.pen.line([(0.2, y), (0.4, y)], 0.03, (110, 105, 110))
    v.pen.polygon([(0.36, -0.18), (0.52, -0.18), (0.8, 0.58), (1.0, 0.62), (1.0, 0.74), (0.72, 0.7)], second)


def _railway(v: View) -> None:
    h, x = v.horizon, v.about(0, 0.2)
    v.hills(h, 0.2, v.ground((120, 155, 110)))
    v.flat(h, v.ground(GRASS))
    v.pen.polygon([(x - 0.05, h), (x + 0.05, h), (0.95, 1.4), (-0.95, 1.4)], v.tone((170, 160, 150)))
    for t in np.linspace(0.28, 1.1, 9) ** 2:
        v.pen.rect(x * (1 - t), h + (1.3 - h) * t, 1.45 * t, 0.11 * t + 0.02, v.tone((105, 75, 55)))
    for side in (-1, 1):
        v.pen.polygon([(x, h), (side * 0.48, 1.4), (side * 0.6, 1.4)], v.tone((70, 72, 80)))
    for t in (0.2, 0.45):
        v.pen.rect(x + t * 1.5, h - 0.85 * t, 0.07 * (t + 0.4), 2.4 * t, v.tone(WOOD))
        v.pen.rect(x + t * 1.5, h - 1.9 * t, 0.6 * t, 0.04, v.tone(WOOD))
    v.tree(-0.7, h + 0.25, 0.6)


def _castle(v: View) -> None:
    base, stone, roof = v.horizon + 0.1, v.tone((170, 162, 155)), v.pick(((60, 85, 150), (170, 65, 60)))
    rim = base - 0.2
    hill = curve_points([(-1.6, 1.2), (-0.7, 0.9), (-0.6, rim), (0.6, rim), (0.7, 0.9), (1.6, 1.2)])
    v.hills(base + 0.4, 0.2, v.ground((150, 185, 125)))
    v.pen.polygon([*map(tuple, hill), (1.6, 1.6), (-1.6, 1.6)], v.ground(GRASS))
    base += 0.12
    v.pen.rect(0, base - 0.2, 0.8, 0.4, stone)
    for x in np.linspace(-0.35, 0.35, 5):
        v.pen.rect(x, base - 0.43, 0.09, 0.1, stone)
    for x, high in ((-0.42, 0.6), (0.42, 0.55 + v.rng.uniform(0, 0.2)), (v.about(0, 0.1), 0.8)):
        v.pen.rect(x, base - high / 2, 0.22, high, lighter(stone, 0.12))
        v.shape(x, base - high, 1, v.ground(roof), -0.16, 0, 0, -0.3, 0.16, 0)
        v.pen.rect(x, base - high + 0.14, 0.07, 0.11, v.pane())
    v.pen.rect(0, base - 0.1, 0.16, 0.2, v.tone((85, 60, 45)))
    v.pen.polygon([(-0.06, base), (0.06, base), (0.4, 1.4), (0.05, 1.4)], v.tone(SAND))
    for x in (-0.75, 0.8):
        v.tree(x, 0.9, 0.45)


def _stadium(v: View) -> None:
    y, seats = 0.25 + v.horizon / 2, v.pick(PAINTS)
    for x in (-0.8, 0.8):
        v.pen.rect(x, y - 0.6, 0.05, 0.8, v.tone((110, 110, 118)))
        v.pen.rect(x, y - 1.0, 0.3, 0.16, (250, 245, 215))
    v.flat(y + 0.2, v.tone((165, 165, 170)))
    rings = ((205, 205, 210), seats, darker(seats, 0.2), (190, 110, 80), (85, 165, 80))
    for size, colour in zip((1.0, 0.92, 0.78, 0.64, 0.58), rings, strict=True):
        v.pen.ellipse(0, y + 0.1, 1.08 * size, 0.62 * size, colour)
    for x in (-0.3, 0.0, 0.3):
        v.pen.rect(x, y + 0.1, 0.14, 0.56, v.tone((110, 185, 100)))
    v.pen.rect(0, y + 0.1, 0.03, 0.68, (245, 248, 240))
    for angle in np.arange(0, 6.28, 0.42) + v.rng.uniform(0, 0.4):
        place = (0.92 * np.cos(angle), y + 0.1 + 0.53 * np.sin(angle))
        v.pen.polygon(DOT * 0.035 + place, v.pick(WALLS))


TOWN: dict[str, Callable[[View], None]] = {
    "castle hill": _castle,
    "city": _city,
    "city street": _street,
    "farm field": _farm,
    "harbor": _harbor,
    "lighthouse coast": _lighthouse,
    "playground": _playground,
    "railway": _railway,
    "river bridge": _bridge,
    "stadium": _stadium,
    "village": _village,
}
