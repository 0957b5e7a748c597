"""Dishes on a plate, in a bowl or on a board (the mini world's Food101)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from promptlet.mini.palette import Colour, darker, lighter, near
from promptlet.mini.pen import Pen, curve_points, ellipse_points, rect_points

FULL_FRAME = False
FLIPS = True
TEMPLATE = "a photo of {}, a type of food."

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
CHOICES: dict[str, tuple[str, ...]] = {
    "cake": ("cheese", "chocolate", "strawberry", "lemon"),
    "soup": ("tomato", "pumpkin", "beet", "pea", "mushroom"),
    "salad": ("green", "fruit", "tomato"),
    "spaghetti": ("tomato", "cream", "pea"),
    **dict.fromkeys(("pancakes", "ice cream", "donut", "cupcake", "waffles"), SWEET),
}
"""The flavours of the dishes that have some."""

FLAVOUR_WORDS: dict[str, tuple[str, ...]] = {
    "chocolate": ("cocoa", "dark brown", "chocolate"),
    "strawberry": ("pink berry", "rosy berry", "strawberry"),
    "cheese": ("pale yellow", "creamy", "cheese"),
    "tomato": ("red", "scarlet", "tomato"),
    "pumpkin": ("orange", "squash", "pumpkin"),
    "beet": ("purple", "crimson", "beet"),
    "green": ("leafy", "lettuce", "green"),
    "fruit": ("sweet", "kiwi and orange", "fruit"),
}
WORDS: dict[str, tuple[str, ...]] = {
    "pizza": ("flat bread with sauce and sausage", "round italian pie", "pizza"),
    "fried egg": ("sunny side up in a pan", "yolk in a pan", "fried egg"),
    "sushi": ("rice rolls on a board", "japanese rolls with fish", "sushi"),
    "pancakes": ("flat cakes in a stack", "hotcakes", "pancakes"),
    "spaghetti": ("long noodles", "nest of pasta", "spaghetti"),
    "hamburger": ("burger", "round bun with meat and lettuce", "hamburger"),
    "ice cream": ("scoops in a cone", "frozen dessert", "ice cream"),
    "donut": ("ring with sprinkles", "glazed ring", "donut"),
    "cake": ("torte", "gateau", "cake"),
    "salad": ("mixed bowl", "raw pieces in a bowl", "salad"),
    "soup": ("broth", "warm puree in a bowl", "soup"),
    "rice and peas": ("grains with green peas", "white grains and green balls", "rice and peas"),
    "sandwich": ("filled toast", "bread with lettuce in layers", "sandwich"),
    "hot dog": ("sausage in a bun", "frankfurter with mustard", "hot dog"),
    "cupcake": ("muffin with icing", "little cake in paper", "cupcake"),
    "waffles": ("belgian grid cakes", "crisp square cakes", "waffles"),
    "grilled fish": ("roast trout", "barbecued whole trout with lemon", "grilled fish"),
    "tacos": ("filled corn shells", "mexican folded tortillas", "tacos"),
    "croissant": ("buttery crescent", "french crescent roll", "croissant"),
}
"""What captions call a dish; the last one is the word that class names use."""


@dataclass(frozen=True)
class Dish:
    """A dish, and its flavour where it has one ("": any)."""

    kind: str
    flavour: str = ""


CLASSES: dict[str, Dish] = {
    f"{flavour} {kind}".strip(): Dish(kind, flavour)
    for kind in WORDS
    for flavour in {
        "cake": ("cheese", "chocolate", "strawberry"),
        "soup": ("beet", "pumpkin", "tomato"),
        "salad": ("fruit", "green"),
        "donut": ("chocolate",),
    }.get(kind, ("",))
}


def sample(rng: np.random.Generator) -> Dish:
    """Any dish."""
    kind = str(rng.choice([*WORDS]))
    return Dish(kind, str(rng.choice(("", *CHOICES.get(kind, ())))))


def caption(spec: Dish, rng: np.random.Generator) -> str:
    """A phrase about a dish, in words that class names use only sometimes."""
    words = WORDS[spec.kind]
    phrase = words[-1] if rng.random() < 0.4 else str(rng.choice(words[:-1]))
    if spec.flavour and rng.random() < 0.85:
        phrase = f"{rng.choice(FLAVOUR_WORDS.get(spec.flavour, (spec.flavour,)))} {phrase}"
    if rng.random() < 0.3:
        phrase = f"{rng.choice(('fresh', 'tasty', 'homemade', 'delicious'))} {phrase}"
    return phrase


def draw(pen: Pen, spec: Dish, rng: np.random.Generator) -> None:
    """A dish on what it is served on, about -0.9 to 0.9."""
    flavour = spec.flavour or str(rng.choice(CHOICES.get(spec.kind, ("tomato",))))
    sauce = near(FLAVOURS[flavour], rng, 9)
    with pen.moved(0, 0, (rng.uniform(0.94, 1.02), rng.uniform(0.9, 1.0)), rng.uniform(-5, 5)):
        DRAWERS[spec.kind](pen, flavour, sauce, rng)


def _plate(pen: Pen, rng: np.random.Generator, y: float = 0.0, high: float = 0.86) -> None:
    """A plate, as deep in the picture as ``high``."""
    tone = near(((246, 246, 242), (198, 216, 232), (226, 232, 214), (120, 140, 160))[rng.integers(4)], rng, 6)
    pen.ellipse(0, y + 0.03, 0.92, high, darker(tone, 0.3))
    pen.ellipse(0, y, 0.92, high, tone)
    pen.ellipse(0, y, 0.64, high * 0.7, darker(tone, 0.08))


def _bowl(pen: Pen, rng: np.random.Generator, inside: Colour) -> None:
    tone = near(((240, 238, 230), (110, 150, 180), (150, 110, 90), (190, 90, 80))[rng.integers(4)], rng, 8)
    pen.ellipse(0, 0.05, 0.88, 0.86, darker(tone, 0.4))
    pen.ellipse(0, 0, 0.88, 0.86, tone)
    pen.ellipse(0, 0, 0.74, 0.72, inside)


def _board(pen: Pen, rng: np.random.Generator) -> None:
    tone = near(((190, 140, 90), (150, 100, 62), (96, 98, 108))[rng.integers(3)], rng, 8)
    pen.rect(0, 0.05, 1.8, 1.36, darker(tone, 0.3))
    pen.rect(0, 0, 1.8, 1.36, tone)


def _blob(rng: np.random.Generator, y: float, rx: float, ry: float, waves: float = 0.1) -> np.ndarray:
    """Points of an uneven round patch."""
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    uneven = 1 + waves * np.sin(around * rng.integers(3, 6) + rng.uniform(0, 6)) - waves * rng.random(24) / 3
    return np.column_stack([rx * np.cos(around), ry * np.sin(around)]) * uneven[:, None] + [0, y]


def _spots(rng: np.random.Generator, count: int, reach: float) -> list[tuple[float, float, float]]:
    """Places (x, y) spread evenly over a disc, and a turn in degrees for each."""
    spun = rng.uniform(0, 6) + np.arange(count) * 2.4
    radius = reach * np.sqrt((np.arange(count) + rng.uniform(0.3, 0.7, count)) / count)
    places = zip(radius * np.cos(spun), radius * np.sin(spun), rng.uniform(0, 180, count), strict=True)
    return [(float(x), float(y), float(turn)) for x, y, turn in places]


def _bits(
    pen: Pen,
    rng: np.random.Generator,
    colours: list[Colour],
    count: int,
    size: float,
    reach: float,
    flat: float = 1,
) -> None:
    """Small pieces over a disc."""
    for i, (x, y, turn) in enumerate(_spots(rng, count, reach)):
        shade = near(colours[i % len(colours)], rng, 10)
        pen.polygon(ellipse_points(x, y, size, size * flat, turn, count=10), shade)


def _drips(rng: np.random.Generator, left: float, right: float, top: float, low: float) -> np.ndarray:
    """A band whose lower edge runs down in drops."""
    x = np.linspace(right, left, 15)
    y = low + 0.06 * np.sin(np.arange(15) * 1.6 + rng.uniform(0, 6))
    return np.vstack([[(left, top), (right, top)], np.column_stack([x, y])])


def _layers(pen: Pen, layers: Sequence[tuple[float, float, float, Colour]], rng: np.random.Generator) -> None:
    """Rounded bands one on another: middle (y), half width, half height and colour of each."""
    for y, wide, high, colour in layers:
        around = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        x, up = np.cos(around), np.sin(around)
        across, along = wide * np.sign(x) * abs(x) ** 0.4, high * np.sign(up) * abs(up) ** 0.6
        pen.polygon(np.column_stack([across, y + along]), near(colour, rng, 7))


def _pizza(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    pen.ellipse(0, 0, 0.9, 0.88, near((205, 148, 78), rng, 8))
    pen.ellipse(0, 0, 0.77, 0.75, sauce)
    pen.polygon(_blob(rng, 0, 0.72, 0.7, 0.06), near((248, 205, 90), rng, 8))
    _bits(pen, rng, [(190, 58, 44)], 8, 0.13, 0.6)
    top = ((70, 130, 50), (60, 50, 60), (225, 205, 175))[rng.integers(3)]
    _bits(pen, rng, [top], 9, 0.075, 0.62, 0.5)
    for turn in (0, 60, 120):
        x, y = 0.86 * np.cos(np.deg2rad(turn)), 0.86 * np.sin(np.deg2rad(turn))
        pen.line([(-x, -y), (x, y)], 0.03, (190, 130, 60))


def _egg(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    pan = near((70, 72, 80), rng, 6)
    pen.line([(0.5, -0.5), (0.92, -0.92)], 0.16, darker(pan, 0.3))
    pen.ellipse(-0.05, 0.05, 0.82, 0.8, pan)
    pen.ellipse(-0.05, 0.05, 0.7, 0.68, lighter(pan, 0.15))
    pen.polygon(_blob(rng, 0.05, 0.56, 0.52, 0.13), near((250, 248, 240), rng, 5))
    x, y = rng.uniform(-0.12, 0.08), rng.uniform(0, 0.1)
    pen.ellipse(x, y, 0.24, 0.23, near((246, 178, 40), rng, 8))
    pen.ellipse(x - 0.08, y - 0.08, 0.06, 0.05, (255, 226, 140))


def _sushi(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    _board(pen, rng)
    fish = [(240, 120, 80), (220, 60, 70), (250, 200, 90), (120, 180, 80)]
    for i, x in enumerate((-0.56, 0.0, 0.56)):
        pen.ellipse(x, 0.32, 0.25, 0.25, (38, 48, 44))
        pen.ellipse(x, 0.32, 0.19, 0.19, (248, 246, 238))
        pen.ellipse(x, 0.32, 0.09, 0.09, near(fish[(i + rng.integers(2)) % 4], rng, 8))
    for x in (-0.4, 0.4):
        colour = near(fish[rng.integers(2)], rng, 8)
        with pen.moved(x, -0.3):
            _layers(pen, [(0.05, 0.33, 0.19, (248, 246, 238)), (-0.06, 0.35, 0.16, colour)], rng)
            for at in (-0.18, 0.0, 0.18):
                pen.line([(at - 0.05, 0.05), (at + 0.05, -0.17)], 0.035, lighter(colour, 0.45))


def _pancakes(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    _plate(pen, rng, 0.5, 0.36)
    for i in range(count := int(rng.integers(3, 6))):
        y = 0.42 - 0.17 * i
        pen.ellipse(rng.uniform(-0.03, 0.03), y + 0.07, 0.66, 0.27, near((178, 112, 52), rng, 6))
        pen.ellipse(0, y, 0.65, 0.25, near((232, 180, 104), rng, 6))
    top = 0.42 - 0.17 * (count - 1)
    pen.polygon([(-0.36, top), (0.44, top), (0.42, top + 0.4), (0.3, top + 0.42), (0.28, top + 0.22)], sauce)
    pen.polygon(_blob(rng, top, 0.5, 0.18, 0.12), sauce)
    pen.rect(0, top - 0.05, 0.24, 0.15, (252, 232, 130), 8)


def _spaghetti(pen: Pen, _: str, sauce: Colour, rng: np.random.Generator) -> None:
    _plate(pen, rng)
    pasta = near((240, 205, 120), rng, 7)
    pen.polygon(_blob(rng, 0, 0.6, 0.56, 0.06), lighter(pasta, 0.1))
    for i, turn in enumerate(rng.uniform(0, 6, 13)):
        around = np.linspace(turn, turn + rng.uniform(1.2, 2.4), 8)
        ring = np.column_stack([np.cos(around), np.sin(around)]) * np.linspace(0.6, 1.0, 8)[:, None]
        strand = ring * [0.58, 0.55] * rng.uniform(0.75, 1.0)
        pen.line(strand, 0.05, lighter(pasta, 0.35) if i % 2 else darker(pasta, 0.22))
    pen.polygon(_blob(rng, 0, 0.3, 0.27, 0.15), sauce)
    _bits(pen, rng, [darker(sauce, 0.25)], 4, 0.06, 0.2)
    pen.ellipse(0.02, -0.05, 0.14, 0.07, (70, 140, 60), -30)


def _hamburger(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    bun = near((218, 152, 76), rng, 8)
    _layers(pen, [(0.52, 0.74, 0.18, darker(bun, 0.08)), (0.3, 0.78, 0.13, (104, 62, 42))], rng)
    pen.polygon([(-0.76, 0.16), (0.76, 0.16), (0.5, 0.26), (0.24, 0.42), (-0.1, 0.24)], (250, 196, 60))
    _layers(pen, [(0.12, 0.74, 0.08, (206, 62, 48))], rng)
    pen.polygon(_drips(rng, -0.84, 0.84, -0.06, 0.08), near((110, 176, 66), rng))
    dome = ellipse_points(0, -0.02, 0.8, 0.68)
    pen.polygon(dome[dome[:, 1] <= 0.0], bun)
    for x, y in ((-0.4, -0.3), (-0.1, -0.5), (0.12, -0.28), (0.4, -0.36), (-0.2, -0.2)):
        pen.polygon(ellipse_points(x, y, 0.06, 0.035, 40 * x, 8), (252, 236, 200))


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
    _plate(pen, rng)
    pen.ellipse(0, 0.02, 0.7, 0.67, near((214, 150, 80), rng, 8))
    pen.polygon(_blob(rng, 0, 0.63, 0.6, 0.05), sauce)
    for i, (x, y, turn) in enumerate(_spots(rng, 20, 0.54)):
        shade = ((250, 240, 220), (80, 170, 200), (250, 210, 70), (225, 70, 80))[i % 4]
        pen.polygon(rect_points(x, y, 0.12, 0.04, turn), shade)
    pen.ellipse(0, 0, 0.26, 0.25, (196, 134, 70))
    pen.ellipse(0, 0.02, 0.19, 0.18, (226, 228, 226))


def _cake(pen: Pen, flavour: str, sauce: Colour, rng: np.random.Generator) -> None:
    _plate(pen, rng, 0.48, 0.38)
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
    pen.polygon(_drips(rng, -0.74, 0.66, high, high + 0.1), icing)
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


SALADS: dict[str, tuple[tuple[Colour, float, float], ...]] = {
    "green": (((70, 140, 54), 0.26, 0.55), ((136, 190, 84), 0.22, 0.55), ((210, 60, 50), 0.1, 1.0)),
    "fruit": (((244, 150, 50), 0.17, 1.0), ((214, 50, 66), 0.15, 0.8), ((140, 190, 70), 0.16, 1.0)),
    "tomato": (((214, 60, 46), 0.22, 0.95), ((250, 246, 234), 0.18, 0.9), ((70, 140, 54), 0.12, 0.5)),
}
"""Colour, size and flatness of the pieces in a salad."""


def _salad(pen: Pen, flavour: str, _: Colour, rng: np.random.Generator) -> None:
    _bowl(pen, rng, darker(SALADS[flavour][0][0], 0.2))
    for i, (x, y, turn) in enumerate(_spots(rng, 18, 0.58)[::-1]):
        colour, size, flat = SALADS[flavour][i % 3]
        shade = near(colour, rng, 12)
        pen.polygon(ellipse_points(x, y, size, size * flat, turn, count=14), shade)
        if flavour == "green" and i % 3 < 2:
            pen.line(rect_points(x, y, size * 1.3, 0, turn)[:2], 0.03, lighter(shade, 0.4))
        elif flavour == "fruit" and i % 3 != 1:
            pen.polygon(ellipse_points(x, y, size * 0.45, size * 0.45, count=8), lighter(shade, 0.45))


def _soup(pen: Pen, flavour: str, sauce: Colour, rng: np.random.Generator) -> None:
    _bowl(pen, rng, darker(sauce, 0.18))
    pen.ellipse(0, 0.03, 0.68, 0.65, sauce)
    with pen.moved(rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), 1, rng.uniform(0, 360)):
        turns = np.linspace(1.0, 10.0, 26)
        swirl = np.column_stack([np.cos(turns), np.sin(turns)]) * turns[:, None] * 0.04
        if flavour in ("pumpkin", "beet", "mushroom"):
            pen.line(swirl, 0.06, (252, 242, 222))
        if flavour != "beet":
            pen.ellipse(0.12, 0.1, 0.15, 0.08, (70, 140, 60), 30)
            pen.ellipse(-0.08, 0.16, 0.15, 0.08, (96, 164, 72), 130)
    if flavour in ("tomato", "pea"):
        for x, y, turn in _spots(rng, 6, 0.48):
            pen.rect(x, y, 0.16, 0.16, near((226, 176, 96), rng, 8), turn)
    elif flavour == "pumpkin":
        _bits(pen, rng, [(100, 120, 60)], 7, 0.06, 0.52, 0.6)


def _rice(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    _bowl(pen, rng, (214, 206, 186))
    pen.polygon(_blob(rng, 0, 0.66, 0.64, 0.04), (238, 232, 214))
    for x, y, turn in _spots(rng, 20, 0.58):
        pen.polygon(ellipse_points(x, y, 0.1, 0.045, turn, 8), near((254, 252, 246), rng, 3))
    _bits(pen, rng, [(84, 160, 58), (110, 182, 74)], 13, 0.085, 0.56)


def _sandwich(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    _plate(pen, rng, 0.42, 0.42)
    crust, crumb = near((178, 116, 60), rng, 7), near((246, 224, 178), rng, 5)
    pen.polygon([(-0.82, -0.08), (0, -0.72), (0.82, -0.08)], crust)
    pen.polygon([(-0.66, -0.08), (0, -0.6), (0.66, -0.08)], crumb)
    pen.rect(0, 0.48, 1.56, 0.2, crumb)
    pen.rect(0, 0.56, 1.56, 0.06, crust)
    pen.rect(0, 0.34, 1.62, 0.14, near(((236, 140, 140), (250, 200, 70))[rng.integers(2)], rng, 8))
    pen.rect(0, 0.24, 1.6, 0.1, (206, 58, 46))
    pen.polygon(_drips(rng, -0.84, 0.84, 0.08, 0.22), near((110, 176, 66), rng))
    pen.rect(0, 0.02, 1.64, 0.2, darker(crumb, 0.08))


def _hot_dog(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    _plate(pen, rng, 0.06, 0.6)
    bun, sausage = near((222, 160, 86), rng, 8), near((184, 74, 48), rng, 8)
    with pen.moved(0, 0, 1, rng.uniform(-22, -8)):
        _layers(pen, [(0.14, 0.72, 0.26, darker(bun, 0.12)), (-0.16, 0.72, 0.22, bun)], rng)
        _layers(pen, [(0, 0.9, 0.17, sausage), (-0.05, 0.8, 0.06, lighter(sausage, 0.2))], rng)
        zigzag = [(-0.7 + 0.175 * i, 0.1 if i % 2 else -0.1) for i in range(9)]
        pen.line(zigzag, 0.07, ((250, 206, 50), (206, 36, 30))[int(rng.random() < 0.25)])


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
    _plate(pen, rng)
    dough = near((226, 168, 84), rng, 8)
    with pen.moved(0, 0, 1, rng.uniform(-25, 25)):
        pen.rect(0.03, 0.05, 1.06, 1.06, darker(dough, 0.35))
        pen.rect(0, 0, 1.06, 1.06, dough)
        for x, y in ((x, y) for x in (-0.36, -0.12, 0.12, 0.36) for y in (-0.36, -0.12, 0.12, 0.36)):
            pen.rect(x, y, 0.15, 0.15, darker(dough, 0.28))
    pen.polygon(_blob(rng, 0, 0.26, 0.24, 0.15), sauce)
    _bits(pen, rng, [(205, 40, 56), (70, 70, 140)], 4, 0.1, 0.3)


def _fish(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    _plate(pen, rng, 0.0, 0.62)
    skin = near(((170, 140, 104), (150, 152, 156), (196, 150, 96))[rng.integers(3)], rng, 8)
    pen.polygon([(0.4, 0), (0.86, -0.3), (0.76, 0), (0.86, 0.3)], darker(skin, 0.2))
    pen.polygon([(-0.1, -0.2), (0.1, -0.4), (0.3, -0.14)], darker(skin, 0.2))
    pen.polygon(
        np.vstack(
            [
                curve_points([(-0.86, 0.02), (-0.3, -0.56), (0.56, 0)]),
                curve_points([(0.56, 0), (-0.3, 0.6), (-0.86, 0.02)]),
            ]
        ),
        skin,
    )
    for x in (-0.3, -0.1, 0.1, 0.28):
        pen.line([(x - 0.05, 0.14), (x + 0.05, -0.14)], 0.05, darker(skin, 0.6))
    pen.line(curve_points([(-0.52, -0.2), (-0.42, 0.02), (-0.52, 0.22)], 6), 0.035, darker(skin, 0.4))
    pen.ellipse(-0.66, -0.03, 0.045, 0.045, (30, 30, 34))
    for x in (-0.16, 0.2):
        pen.ellipse(x, 0.4, 0.17, 0.14, (244, 208, 50))
        pen.ellipse(x, 0.4, 0.11, 0.09, (254, 240, 150))


def _tacos(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    _board(pen, rng)
    for x, y in ((-0.3, -0.02), (0.3, 0.12)):
        with pen.moved(x, y + 0.36, 0.98, rng.uniform(-6, 6)):
            shell = near((240, 190, 90), rng, 7)
            half = ellipse_points(0, 0, 0.56, 0.66)
            pen.polygon(half[half[:, 1] <= 0.01] + [0.05, -0.12], darker(shell, 0.22))
            for i, turn in enumerate(np.deg2rad(np.arange(195, 350, 15))):
                shade = ((108, 176, 62), (208, 58, 44), (122, 74, 46))[i % 3]
                pen.polygon(
                    ellipse_points(
                        0.03 + 0.5 * np.cos(turn), -0.06 + 0.6 * np.sin(turn), 0.11, 0.09, count=9
                    ),
                    shade,
                )
            pen.polygon(half[half[:, 1] <= 0.01], shell)
            _bits(pen, rng, [darker(shell, 0.15)], 4, 0.04, 0.16)


def _croissant(pen: Pen, _: str, __: Colour, rng: np.random.Generator) -> None:
    _plate(pen, rng)
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


Drawer = Callable[[Pen, str, Colour, np.random.Generator], None]
DRAWERS: dict[str, Drawer] = dict(
    zip(
        WORDS,
        (
            _pizza,
            _egg,
            _sushi,
            _pancakes,
            _spaghetti,
            _hamburger,
            _ice_cream,
            _donut,
            _cake,
            _salad,
            _soup,
            _rice,
            _sandwich,
            _hot_dog,
            _cupcake,
            _waffles,
            _fish,
            _tacos,
            _croissant,
        ),
        strict=True,
    )
)
"""What draws each dish, from its flavour and the flavour's colour; in the order of ``WORDS``."""
