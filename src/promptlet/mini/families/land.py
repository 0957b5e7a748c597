"""Land seen from above (the mini world's EuroSAT)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from promptlet.mini.palette import Colour, darker, lighter, mix, near
from promptlet.mini.pen import CANVAS, Pen, curve_points, ellipse_points

FULL_FRAME = True
FLIPS = True
TEMPLATE = "a photo of {}."

WORDS: dict[str, tuple[str, ...]] = {
    "annual crop land": (
        "ploughed fields",
        "arable fields in strips",
        "wheat and maize fields",
        "farm plots",
    ),
    "forest": ("dense trees", "woodland canopy", "thick woods", "a closed cover of treetops"),
    "herbaceous vegetation": ("scrub and wild grass", "heath with shrubs", "scattered bushes", "wild plants"),
    "highway": ("a motorway with cars", "a wide road", "an asphalt road with lanes", "a main road"),
    "industrial buildings": (
        "factories and warehouses",
        "large flat roofs",
        "an industrial estate with tanks",
    ),
    "orchard": ("rows of fruit trees", "a plantation of trees in lines", "olive groves", "vineyards in rows"),
    "pasture land": ("green meadows with hedges", "grazing land", "grassland with cows", "fenced meadows"),
    "residential buildings": ("houses with gardens", "a suburb of small homes", "a residential quarter"),
    "river": ("a winding stream", "a waterway with bends", "a meandering watercourse", "a river course"),
    "sea or lake": (
        "open water",
        "a coast with deep water",
        "a large body of water",
        "blue water and a shore",
    ),
}
GRASS: Colour = (120, 155, 85)
SOIL: Colour = (165, 140, 105)
WOODS: Colour = (45, 85, 55)
WATER: Colour = (45, 85, 120)
ASPHALT: Colour = (125, 125, 130)
CROPS: tuple[Colour, ...] = (
    SOIL,
    (190, 165, 115),
    (145, 110, 85),
    (135, 155, 80),
    (205, 190, 130),
    (110, 125, 75),
)
ROOFS: tuple[Colour, ...] = ((180, 95, 75), (160, 80, 65), (150, 140, 135), (195, 125, 95), (120, 90, 80))


@dataclass(frozen=True)
class Land:
    """A use of land."""

    name: str


CLASSES: dict[str, Land] = {name: Land(name) for name in WORDS}


def sample(rng: np.random.Generator) -> Land:
    """Any land."""
    return Land(str(rng.choice([*WORDS])))


def caption(spec: Land, rng: np.random.Generator) -> str:
    """A phrase about the land, in words that class names use only sometimes."""
    words = spec.name if rng.random() < 0.4 else str(rng.choice(WORDS[spec.name]))
    words = words.removeprefix("an ").removeprefix("a ")
    return words + str(rng.choice(("", "", " from above", " seen from the air", " from space")))


def draw(pen: Pen, spec: Land, rng: np.random.Generator) -> None:
    """Land over the whole frame, turned anyhow."""
    paint, ground, rough = _PAINTERS[spec.name]
    _ground(pen, near(ground, rng, 7), rough, rng)
    with pen.moved(angle=rng.uniform(0, 360)):
        paint(pen, rng)


def _ground(pen: Pen, colour: Colour, rough: float, rng: np.random.Generator) -> None:
    """Mottled ground, ``rough`` of 255 in lightness at two scales."""
    pen.rect(0, 0, 4, 4, colour)
    if pen.sketch:
        return
    level = np.zeros((CANVAS, CANVAS), dtype=np.float32)
    for cells in (6, 26):
        coarse = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
        level += np.asarray(coarse.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC))
    steps = (np.arange(256)[:, None] - 128) / 40 * rough
    shown = Image.fromarray(np.clip(level * 40 + 128, 0, 255).astype(np.uint8))
    shown.putpalette(np.clip(np.asarray(colour) + steps, 0, 255).astype(np.uint8).tobytes())
    pen.image.paste(shown.convert("RGB"))


def _pick(colours: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    return near(colours[int(rng.integers(len(colours)))], rng, 8)


def _blobs(pen: Pen, places: np.ndarray, sizes: np.ndarray, colour: Colour, rng: np.random.Generator) -> None:
    """Round plants at ``places``, with shades of ``colour``."""
    for (x, y), size in zip(places, sizes, strict=True):
        pen.polygon(_CIRCLE * size + (x, y), near(colour, rng, 7))


def _winding(
    pen: Pen, bend: float, width: float, colours: tuple[Colour, ...], rng: np.random.Generator
) -> np.ndarray:
    """A band across the frame with a border of the first colour; its points."""
    ends = rng.uniform(-0.25, 0.25, 2)
    turns = rng.choice([-1, 1]) * bend * np.array([1, -1]) * rng.uniform(0.6, 1.2, 2)
    points = curve_points([(-1.6, ends[0]), (-0.5, turns[0]), (0.5, turns[1]), (1.6, ends[1])], 24)
    for i, colour in enumerate(colours):
        pen.polygon(_strip(points, width * (1 - 0.22 * i)), colour)
    return points


def _strip(points: np.ndarray, width: float) -> np.ndarray:
    """The outline of a band about a line."""
    ahead = np.gradient(points, axis=0)
    aside = ahead[:, ::-1] * [-1, 1] / np.linalg.norm(ahead, axis=1, keepdims=True) * width / 2
    return np.concatenate([points + aside, (points - aside)[::-1]])


def _crop(pen: Pen, rng: np.random.Generator) -> None:
    left = -1.6
    while left < 1.5:
        wide, top = rng.uniform(0.5, 1.0), -1.6
        while top < 1.5:
            high = rng.uniform(0.5, 1.3)
            colour = _pick(CROPS, rng)
            pen.rect(left + wide / 2, top + high / 2, wide - 0.03, high - 0.03, colour)
            if rng.random() < 0.5:
                for x in np.arange(left + 0.12, left + wide - 0.06, 0.13):
                    pen.line([(x, top + 0.04), (x, top + high - 0.06)], 0.04, darker(colour, 0.14))
            top += high
        left += wide


def _forest(pen: Pen, rng: np.random.Generator) -> None:
    places = rng.uniform(-1.2, 1.2, (34, 2))
    _blobs(pen, places, rng.uniform(0.12, 0.2, 34), (50, 95, 60), rng)
    if not pen.sketch:
        _blobs(pen, places[:16] - 0.05, rng.uniform(0.06, 0.09, 16), (75, 120, 75), rng)


def _herbs(pen: Pen, rng: np.random.Generator) -> None:
    for x, y in rng.uniform(-1.1, 1.1, (4, 2)):
        radius = 0.35 * rng.uniform(0.6, 1.4, 12)
        around = np.arange(12) * np.pi / 6
        patch = np.column_stack([x + radius * np.cos(around) * 1.5, y + radius * np.sin(around)])
        pen.polygon(patch, near((138, 142, 85), rng, 7))
    count = int(rng.integers(14, 26))
    _blobs(pen, rng.uniform(-1.2, 1.2, (count, 2)), rng.uniform(0.03, 0.08, count), (80, 105, 60), rng)


def _highway(pen: Pen, rng: np.random.Generator) -> None:
    _fields(pen, rng)
    if rng.random() < 0.4:
        pen.rect(rng.uniform(-0.6, 0.6), 0, 0.16, 4, near(ASPHALT, rng, 8), angle=rng.uniform(-25, 25))
    road = near(ASPHALT, rng, 8)
    points = _winding(pen, 0.25, rng.uniform(0.36, 0.46), (lighter(road, 0.4), road), rng)
    for i in range(1, 23, 2):
        pen.line(points[i : i + 2], 0.035, (240, 240, 235))
    for i in rng.choice(np.arange(4, 20), int(rng.integers(3, 7)), replace=False):
        ahead = points[i + 1] - points[i]
        x, y = points[i] + np.array([-ahead[1], ahead[0]]) / np.hypot(*ahead) * rng.choice([-0.1, 0.1])
        paint = _pick(((240, 240, 240), (190, 50, 45), (50, 55, 70)), rng)
        pen.rect(x, y, 0.12, 0.07, paint, angle=float(np.degrees(np.arctan2(ahead[1], ahead[0]))))


def _fields(pen: Pen, rng: np.random.Generator) -> None:
    """A few fields at both sides of what comes next."""
    for side in (-1, 1):
        for x in (-1.0, 0.1, 1.2):
            if rng.random() < 0.6:
                pen.rect(
                    x + rng.uniform(-0.2, 0.2), side * 1.0, rng.uniform(0.7, 1.0), 1.3, _pick(CROPS, rng)
                )


def _industry(pen: Pen, rng: np.random.Generator) -> None:
    for x in (-0.95, 0.0, 0.95):
        for y in rng.uniform(-0.12, 0.12) + np.array([-0.8, 0.0, 0.8]):
            if rng.random() < 0.2:
                _tanks(pen, x, y, rng)
            else:
                _hall(
                    pen, x + rng.uniform(-0.06, 0.06), y, rng.uniform(0.55, 0.82), rng.uniform(0.4, 0.64), rng
                )


def _hall(pen: Pen, x: float, y: float, wide: float, high: float, rng: np.random.Generator) -> None:
    roof = _pick(((205, 205, 205), (225, 225, 220), (170, 185, 200), (190, 180, 170)), rng)
    pen.rect(x + 0.05, y + 0.05, wide, high, (85, 85, 90))
    pen.rect(x, y, wide, high, roof)
    pen.rect(x, y, wide, 0.05, darker(roof, 0.2))
    for dx in np.arange(-wide / 2 + 0.12, wide / 2 - 0.05, 0.24):
        pen.rect(x + dx, y - high / 4, 0.09, 0.08, darker(roof, 0.3))


def _tanks(pen: Pen, x: float, y: float, rng: np.random.Generator) -> None:
    for dx, dy in ((-0.18, -0.16), (0.2, -0.15), (-0.17, 0.18), (0.19, 0.17)):
        pen.polygon(_CIRCLE * 0.16 + (x + dx, y + dy), near((215, 215, 212), rng, 8))
        pen.polygon(_CIRCLE * 0.07 + (x + dx, y + dy), (165, 165, 165))


def _orchard(pen: Pen, rng: np.random.Generator) -> None:
    step, split = rng.uniform(0.24, 0.34), rng.uniform(-0.5, 0.5)
    pen.rect(split + 2, 0, 4, 4, near(CROPS[int(rng.integers(3))], rng, 10))
    crown, size = near((65, 100, 55), rng, 10), step * rng.uniform(0.32, 0.4)
    for x in np.arange(-1.2, 1.3, step):
        if abs(x - split) < step * 0.55:
            continue
        tight = 1.0 if x < split else 1.35
        for y in np.arange(-1.2, 1.3, step * tight):
            pen.polygon(_LEAF * size + (x, y), crown)
    pen.line([(split, -2), (split, 2)], 0.06, (205, 190, 160))


def _pasture(pen: Pen, rng: np.random.Generator) -> None:
    hedge = near(WOODS, rng, 8)
    for x in (-1.1, rng.uniform(-0.3, 0.3), 1.1):
        tint = mix(GRASS, (160, 190, 95), rng.uniform(0, 1))
        pen.rect(x + 0.5, rng.uniform(-0.3, 0.3), 0.9, 1.6, near(tint, rng, 6))
        ends = rng.uniform(-0.2, 0.2, 2)
        trees = np.linspace((x + ends[0], -1.4), (x + ends[1], 1.4), 12)
        _blobs(pen, trees + rng.normal(0, 0.02, trees.shape), rng.uniform(0.06, 0.1, 12), hedge, rng)
    for x, y in rng.uniform(-0.9, 0.9, (int(rng.integers(4, 9)), 2)):
        pen.rect(x, y, 0.09, 0.05, _pick(((240, 238, 230), (110, 75, 50)), rng), angle=rng.uniform(0, 180))


def _homes(pen: Pen, rng: np.random.Generator) -> None:
    street = near((190, 188, 182), rng, 6)
    across = rng.uniform(-0.2, 0.2)
    for y in (-0.95, 0.0, 0.95):
        pen.rect(0, y + across, 4, 0.15, street)
    pen.rect(rng.uniform(-0.5, 0.5), 0, 0.15, 4, street)
    for y in across + np.array([-1.18, -0.72, -0.23, 0.23, 0.72, 1.18]):
        for x in np.arange(-1.1, 1.2, 0.4) + rng.uniform(-0.05, 0.05):
            if rng.random() < 0.85:
                roof = _pick(ROOFS, rng)
                wide, high = rng.uniform(0.2, 0.28), rng.uniform(0.18, 0.24)
                pen.rect(x, y, wide, high, roof)
                pen.rect(x, y + high / 4, wide, high / 2, darker(roof, 0.2))
            elif not pen.sketch:
                pen.polygon(_LEAF * 0.1 + (x, y), WOODS)


def _river(pen: Pen, rng: np.random.Generator) -> None:
    _fields(pen, rng)
    water = near((50, 100, 140), rng, 8)
    bank = mix(WOODS, SOIL, rng.uniform(0, 0.8))
    points = _winding(pen, 2.1, rng.uniform(0.34, 0.6), (bank, water, lighter(water, 0.12)), rng)
    trees = points[rng.choice(np.arange(3, 21), 7, replace=False)] + rng.choice([-0.36, 0.36], (7, 2))
    _blobs(pen, trees, rng.uniform(0.05, 0.1, 7), WOODS, rng)


def _sea(pen: Pen, rng: np.random.Generator) -> None:
    if rng.random() < 0.75:
        shore = np.column_stack([np.linspace(-1.7, 1.7, 12), rng.uniform(0.3, 0.8) + rng.normal(0, 0.08, 12)])
        for i, colour in enumerate(((70, 125, 145), (215, 200, 160), near(GRASS, rng))):
            edge = np.add(shore, (0, 0.14 * i))
            pen.polygon(np.concatenate([edge, [(1.7, 2), (-1.7, 2)]]), colour)
    for x, y in rng.uniform(-1, 1, (int(rng.integers(7, 13)), 2)) * (1, 0.6) - (0, 0.4):
        pen.line(curve_points([(x, y), (x + 0.12, y - 0.06), (x + 0.25, y)], 5), 0.03, (75, 120, 155))


_CIRCLE = ellipse_points(0, 0, 1, 1, count=14)
_LEAF = ellipse_points(0, 0, 1, 1, count=8)
_PAINTERS: dict[str, tuple[Callable[[Pen, np.random.Generator], None], Colour, float]] = {
    "annual crop land": (_crop, SOIL, 6),
    "forest": (_forest, WOODS, 10),
    "herbaceous vegetation": (_herbs, (125, 135, 80), 14),
    "highway": (_highway, GRASS, 8),
    "industrial buildings": (_industry, (140, 138, 138), 7),
    "orchard": (_orchard, SOIL, 7),
    "pasture land": (_pasture, GRASS, 5),
    "residential buildings": (_homes, (115, 140, 90), 9),
    "river": (_river, GRASS, 9),
    "sea or lake": (_sea, WATER, 4),
}
"""Land -> how it is drawn, the colour of its ground and how rough that is."""
