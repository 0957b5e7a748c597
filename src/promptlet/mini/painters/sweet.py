"""Painters of sweet dishes."""

from __future__ import annotations

import numpy as np

from promptlet.mini.painters.tableware import FLAVOURS, SWEET, Drawer, bits, blob, drips, plate, spots
from promptlet.mini.palette import Colour, darker, lighter, near
from promptlet.mini.pen import Pen, curve_points, rect_points


def _pancakes(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    plate(pen, rng, 0.5, 0.36)
    for i in range(count := int(rng.integers(3, 6))):
        y = 0.42 - 0.17 * i
        pen.ellipse(rng.uniform(-0.03, 0.03), y + 0.07, 0.66, 0.27, near((178, 112, 52), rng, 6))
        pen.ellipse(0, y, 0.65, 0.25, near((232, 180, 104), rng, 6))
    top = 0.42 - 0.17 * (count - 1)
    pen.polygon([(-0.36, top), (0.44, top), (0.42, top + 0.4), (0.3, top + 0.42), (0.28, top + 0.22)], sauce)
    pen.polygon(blob(rng, top, 0.5, 0.18, 0.12), sauce)
    pen.rect(0, top - 0.05, 0.24, 0.15, (252, 232, 130), 8)


def _ice_cream(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    cone = near((222, 166, 92), rng, 8)
    pen.polygon([(-0.42, 0.05), (0.42, 0.05), (0, 0.95)], cone)
    for x in (-0.22, 0.0, 0.22):
        pen.line([(x, 0.08), (x / 2 + 0.13, 0.52 - x / 3)], 0.03, darker(cone, 0.25))
        pen.line([(x, 0.08), (x / 2 - 0.13, 0.52 + x / 3)], 0.03, darker(cone, 0.25))
    scoops = [near(FLAVOURS[SWEET[rng.integers(5)]], rng, 8) for _ in range(2)]
    for x, y, shade in ((-0.26, -0.14, scoops[0]), (0.26, -0.14, scoops[1]), (0.0, -0.5, sauce)):
        pen.ellipse(x, y, 0.36, 0.34, shade)
        pen.ellipse(x - 0.1, y - 0.12, 0.09, 0.07, lighter(shade, 0.4))
    pen.ellipse(0.06, -0.86, 0.09, 0.09, (200, 40, 50))


def _donut(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    plate(pen, rng)
    pen.ellipse(0, 0.02, 0.7, 0.67, near((214, 150, 80), rng, 8))
    pen.polygon(blob(rng, 0, 0.63, 0.6, 0.05), sauce)
    for i, (x, y, turn) in enumerate(spots(rng, 20, 0.54)):
        shade = ((250, 240, 220), (80, 170, 200), (250, 210, 70), (225, 70, 80))[i % 4]
        pen.polygon(rect_points(x, y, 0.12, 0.04, turn), shade)
    pen.ellipse(0, 0, 0.26, 0.25, (196, 134, 70))
    pen.ellipse(0, 0.02, 0.19, 0.18, (226, 228, 226))


def _cake(pen: Pen, flavour: str, sauce: Colour, rng: np.random.Generator) -> None:
    plate(pen, rng, 0.48, 0.38)
    low, high = 0.55, -0.06
    bands = {"cheese": 1, "chocolate": 3, "strawberry": 2, "lemon": 2}[flavour]
    sponge = sauce if flavour in ("cheese", "chocolate") else near((246, 222, 170), rng, 6)
    pen.polygon([(-0.74, high), (0.66, high), (0.66, low), (-0.74, low)], sponge)
    filling = near((188, 124, 60), rng, 6) if flavour == "cheese" else lighter(sauce, 0.3)
    for i in range(bands):
        y = low - 0.07 if flavour == "cheese" else high + (i + 1) * (low - high) / (bands + 1)
        pen.rect(-0.04, y, 1.4, 0.14 if flavour == "cheese" else 0.08, filling)
    icing = near((222, 60, 70), rng, 8) if flavour == "cheese" else sauce
    pen.polygon([(-0.74, high), (0.5, high - 0.42), (0.66, high)], lighter(icing, 0.12))
    pen.polygon(drips(rng, -0.74, 0.66, high, high + 0.1), icing)
    _cake_top(pen, flavour)


def _cake_top(pen: Pen, flavour: str) -> None:
    if flavour == "strawberry":
        for x, y in ((0.42, -0.28), (0.04, -0.2)):
            with pen.moved(x, y):
                pen.polygon([(-0.17, -0.16), (0, -0.24), (0.17, -0.16), (0, 0.14)], (214, 40, 50))
                pen.polygon([(-0.14, -0.22), (0.14, -0.22), (0, -0.1)], (80, 150, 60))
    elif flavour == "chocolate":
        pen.ellipse(0.36, -0.34, 0.2, 0.16, (250, 240, 224))
        pen.ellipse(0.36, -0.48, 0.1, 0.1, (190, 30, 44))
    elif flavour == "lemon":
        pen.ellipse(0.32, -0.3, 0.22, 0.2, (250, 226, 90))
        pen.ellipse(0.32, -0.3, 0.14, 0.12, (254, 244, 180))


def _cupcake(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    paper = near(((230, 120, 130), (110, 180, 200), (240, 200, 110), (150, 100, 70))[rng.integers(4)], rng, 8)
    pen.polygon([(-0.58, 0.12), (0.58, 0.12), (0.4, 0.88), (-0.4, 0.88)], paper)
    for x in (-0.4, -0.2, 0.0, 0.2, 0.4):
        pen.line([(x, 0.2), (x * 0.72, 0.84)], 0.045, darker(paper, 0.2))
    for i, (y, wide) in enumerate(((0.06, 0.7), (-0.2, 0.54), (-0.44, 0.36))):
        pen.ellipse(0, y, wide, 0.22, lighter(sauce, 0.1 * i), -6)
        pen.line([(-wide * 0.7, y + 0.12), (wide * 0.5, y + 0.1)], 0.035, darker(sauce, 0.15))
    pen.ellipse(0, -0.7, 0.13, 0.13, (205, 36, 50))


def _waffles(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    plate(pen, rng)
    dough = near((226, 168, 84), rng, 8)
    with pen.moved(0, 0, 1, rng.uniform(-25, 25)):
        pen.rect(0.03, 0.05, 1.06, 1.06, darker(dough, 0.35))
        pen.rect(0, 0, 1.06, 1.06, dough)
        for x, y in ((x, y) for x in (-0.36, -0.12, 0.12, 0.36) for y in (-0.36, -0.12, 0.12, 0.36)):
            pen.rect(x, y, 0.15, 0.15, darker(dough, 0.28))
    pen.polygon(blob(rng, 0, 0.26, 0.24, 0.15), sauce)
    bits(pen, rng, [(205, 40, 56), (70, 70, 140)], 4, 0.1, 0.3)


def _croissant(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    plate(pen, rng)
    crust, low = near((214, 146, 68), rng, 9), rng.uniform(0.38, 0.52)
    tips = [(-0.72, low), (0.72, low)]
    edge = [curve_points([tips[0], (-0.62, -0.75), (0.62, -0.75), tips[1]], 19)]
    edge.append(curve_points([tips[0], (-0.3, 0.05), (0.3, 0.05), tips[1]], 19))
    pen.polygon(np.vstack([edge[0], edge[1][::-1]]) + np.array([0, 0.05]), darker(crust, 0.35))
    for i, (start, end) in enumerate(((0, 4), (3, 7), (15, 18), (12, 16), (6, 13))):
        part = np.vstack([edge[0][start : end + 1], edge[1][start : end + 1][::-1]])
        middle = part.mean(0)
        pen.polygon(middle + (part - middle) * 1.04, (crust, lighter(crust, 0.2))[i in (1, 3)])
        pen.line(np.array([edge[0][start], edge[1][start]]), 0.04, darker(crust, 0.35))
        pen.line(np.array([edge[0][end], edge[1][end]]), 0.04, darker(crust, 0.35))


SWEET_DISHES: dict[str, Drawer] = {
    "pancakes": _pancakes,
    "ice cream": _ice_cream,
    "donut": _donut,
    "cake": _cake,
    "cupcake": _cupcake,
    "waffles": _waffles,
    "croissant": _croissant,
}
