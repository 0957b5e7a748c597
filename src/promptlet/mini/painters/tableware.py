"""What painters of dishes share: flavours, what a dish is served on, and pieces of food."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from promptlet.mini.palette import Colour, darker, near
from promptlet.mini.pen import Pen, ellipse_points

Drawer = Callable[[Pen, str, Colour, np.random.Generator], None]
FLAVOURS: dict[str, Colour] = {
    "chocolate": (98, 56, 36),
    "strawberry": (238, 130, 160),
    "cheese": (248, 222, 140),
    "lemon": (246, 224, 96),
    "caramel": (196, 122, 46),
    "cream": (250, 242, 222),
    "tomato": (205, 52, 38),
    "pumpkin": (236, 142, 40),
    "beet": (150, 30, 82),
    "pea": (112, 168, 62),
    "mushroom": (176, 150, 122),
    "green": (92, 166, 66),
    "fruit": (242, 160, 60),
}
SWEET = ("chocolate", "strawberry", "lemon", "caramel", "cream")


def plate(pen: Pen, rng: np.random.Generator, y: float = 0.0, high: float = 0.86) -> None:
    """A plate, as deep in the picture as ``high``."""
    tone = near(((246, 246, 242), (198, 216, 232), (226, 232, 214), (120, 140, 160))[rng.integers(4)], rng, 6)
    pen.ellipse(0, y + 0.03, 0.92, high, darker(tone, 0.3))
    pen.ellipse(0, y, 0.92, high, tone)
    pen.ellipse(0, y, 0.64, high * 0.7, darker(tone, 0.08))


def bowl(pen: Pen, rng: np.random.Generator, inside: Colour) -> None:
    """A bowl, with the colour of what is in it."""
    tone = near(((240, 238, 230), (110, 150, 180), (150, 110, 90), (190, 90, 80))[rng.integers(4)], rng, 8)
    pen.ellipse(0, 0.05, 0.88, 0.86, darker(tone, 0.4))
    pen.ellipse(0, 0, 0.88, 0.86, tone)
    pen.ellipse(0, 0, 0.74, 0.72, inside)


def board(pen: Pen, rng: np.random.Generator) -> None:
    """A board of wood or slate."""
    tone = near(((190, 140, 90), (150, 100, 62), (96, 98, 108))[rng.integers(3)], rng, 8)
    pen.rect(0, 0.05, 1.8, 1.36, darker(tone, 0.3))
    pen.rect(0, 0, 1.8, 1.36, tone)


def blob(rng: np.random.Generator, y: float, rx: float, ry: float, waves: float = 0.1) -> np.ndarray:
    """Points of an uneven round patch."""
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    uneven = 1 + waves * np.sin(around * rng.integers(3, 6) + rng.uniform(0, 6)) - waves * rng.random(24) / 3
    return np.column_stack([rx * np.cos(around), ry * np.sin(around)]) * uneven[:, None] + [0, y]


def spots(rng: np.random.Generator, count: int, reach: float) -> list[tuple[float, float, float]]:
    """Places (x, y) spread evenly over a disc, and a turn in degrees for each."""
    spun = rng.uniform(0, 6) + np.arange(count) * 2.4
    radius = reach * np.sqrt((np.arange(count) + rng.uniform(0.3, 0.7, count)) / count)
    places = zip(radius * np.cos(spun), radius * np.sin(spun), rng.uniform(0, 180, count), strict=True)
    return [(float(x), float(y), float(turn)) for x, y, turn in places]


def bits(
    pen: Pen,
    rng: np.random.Generator,
    colours: list[Colour],
    count: int,
    size: float,
    reach: float,
    flat: float = 1,
) -> None:
    """Small pieces over a disc."""
    for i, (x, y, turn) in enumerate(spots(rng, count, reach)):
        shade = near(colours[i % len(colours)], rng, 10)
        pen.polygon(ellipse_points(x, y, size, size * flat, turn, count=10), shade)


def drips(rng: np.random.Generator, left: float, right: float, top: float, low: float) -> np.ndarray:
    """A band whose lower edge runs down in drops."""
    x = np.linspace(right, left, 15)
    y = low + 0.06 * np.sin(np.arange(15) * 1.6 + rng.uniform(0, 6))
    return np.vstack([[(left, top), (right, top)], np.column_stack([x, y])])


def layers(pen: Pen, layers: Sequence[tuple[float, float, float, Colour]], rng: np.random.Generator) -> None:
    """Rounded bands one on another: middle (y), half width, half height and colour of each."""
    for y, wide, high, colour in layers:
        around = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        x, up = np.cos(around), np.sin(around)
        across, along = wide * np.sign(x) * abs(x) ** 0.4, high * np.sign(up) * abs(up) ** 0.6
        pen.polygon(np.column_stack([across, y + along]), near(colour, rng, 7))
