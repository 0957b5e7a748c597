"""Flags by layout and colours (the mini world's fine-grained recognition of layouts)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from promptlet.mini.palette import COLOURS, SYNONYMS, Colour, darker, lighter, near
from promptlet.mini.pen import Pen, ellipse_points, rect_points, star_points

FULL_FRAME = False
FLIPS = False
TEMPLATE = "a photo of a {} flag."

WORDS = {
    "vertical stripes": ("upright bands", "side by side bars", "vertical stripes"),
    "horizontal stripes": ("level bands", "stacked bars", "horizontal stripes"),
    "quarters": ("checks", "four fields", "quarters"),
    "cross": ("crossed bars", "plus sign", "cross"),
    "diagonal": ("slanting band", "sash", "diagonal"),
    "disc": ("round dot", "sun", "disc"),
    "star": ("five pointed emblem", "spiky mark", "star"),
    "border": ("frame", "edging", "border"),
}
LAYOUTS = tuple(WORDS)
DIVIDED = LAYOUTS[:3]  # fields side by side; the others are a mark on a field
NOUNS = ("banner", "ensign", "flag")
EDGED = ("outlined in", "trimmed with", "edged in")
ZONES = 9

Mark = tuple[int, np.ndarray]  # which of the flag's colours, and corners from (0, 0) to (1, 1)


@dataclass(frozen=True)
class Flag:
    """A layout and its colours: stripes or fields in their order, or a mark, its field and its edge."""

    layout: str
    first: str
    second: str
    third: str | None = None


CLASSES: dict[str, Flag] = {
    "black yellow red horizontal stripes": Flag("horizontal stripes", "black", "yellow", "red"),
    "red white blue vertical stripes": Flag("vertical stripes", "red", "white", "blue"),
    **{
        f"{first} and {second} {layout}": Flag(layout, first, second)
        for layout, first, second in (
            ("vertical stripes", "blue", "white"),
            ("vertical stripes", "green", "red"),
            ("horizontal stripes", "red", "blue"),
            ("quarters", "green", "yellow"),
            ("quarters", "red", "white"),
        )
    },
    **{
        f"{first} {layout} on {second}": Flag(layout, first, second)
        for layout, first, second in (
            ("border", "blue", "yellow"),
            ("border", "red", "green"),
            ("cross", "blue", "white"),
            ("cross", "white", "red"),
            ("cross", "yellow", "blue"),
            ("diagonal", "green", "white"),
            ("diagonal", "yellow", "blue"),
            ("disc", "blue", "yellow"),
            ("disc", "green", "white"),
            ("disc", "red", "white"),
            ("star", "green", "red"),
            ("star", "white", "blue"),
            ("star", "yellow", "green"),
        )
    },
}


def sample(rng: np.random.Generator) -> Flag:
    """Any flag."""
    first, second, third = (str(name) for name in rng.choice([*COLOURS], 3, replace=False))
    return Flag(str(rng.choice(LAYOUTS)), first, second, third if rng.random() < 0.3 else None)


def caption(spec: Flag, rng: np.random.Generator) -> str:
    """A phrase about a flag, in words that class names use only sometimes."""
    names = [name for name in (spec.first, spec.second, spec.third) if name]
    first, second, *rest = (str(rng.choice(SYNONYMS[name])) for name in names)
    layout, noun = str(rng.choice(WORDS[spec.layout])), str(rng.choice(NOUNS))
    if spec.layout in DIVIDED:
        colours = " ".join([first, second, *rest]) if rest else f"{first} and {second}"
        phrase = f"{colours} {layout}" if rng.random() < 0.6 else f"{noun} of {layout} in {colours}"
    elif rng.random() < 0.2:
        phrase = f"{first} {layout}" if rng.random() < 0.5 else f"{noun} with a {layout}"
    elif rng.random() < 0.6:
        phrase = f"{first} {layout} on {second}" + (f" {noun}" if rng.random() < 0.4 else "")
    else:
        phrase = f"{second} {noun} with a {first} {layout}"
    if rest and spec.layout not in DIVIDED and rng.random() < 0.7:
        phrase += f" {rng.choice(EDGED)} {rest[0]}"
    return phrase


def draw(pen: Pen, spec: Flag, rng: np.random.Generator) -> None:
    """A waving flag on a pole, about -0.9 to 0.9."""
    pole = near(str(rng.choice(("brown", "grey", "white"))), rng)
    pen.line([(-0.8, -0.78), (-0.8, 0.98)], 0.08, darker(pole, 0.2))
    pen.line([(-0.815, -0.78), (-0.815, 0.96)], 0.03, lighter(pole, 0.3))
    pen.ellipse(-0.8, -0.84, 0.085, 0.085, near("yellow", rng))
    colours = [near(name or spec.second, rng, 9.0) for name in (spec.first, spec.second, spec.third)]
    wave = _Wave(rng)
    for index, corners in MARKS[spec.layout](wave.wide / wave.high, spec.third is not None, rng):
        if pen.sketch:
            pen.polygon(wave.placed(_dense(corners)), colours[index])
            continue
        for zone in range(ZONES):
            part = _between(corners, zone / ZONES, (zone + 1) / ZONES)
            if len(part) > 2:
                pen.polygon(wave.placed(part), wave.lit(colours[index], (zone + 0.5) / ZONES))


class _Wave:
    """A flag's cloth: where its points lie and how light falls on it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.wide, self.high = rng.uniform(1.48, 1.68), rng.uniform(1.0, 1.24)
        self.swell, self.phase = rng.uniform(0.03, 0.075), rng.uniform(0.0, 2 * np.pi)
        self.turns, self.sag = rng.uniform(0.9, 1.35), rng.uniform(-0.05, 0.1)

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Where points of the flat flag lie in the picture."""
        u, v = points[:, 0], points[:, 1]
        lift = np.sin(2 * np.pi * self.turns * u + self.phase) - np.sin(self.phase)
        fade = np.minimum(1.0, 2 * u)
        return np.column_stack(
            [-0.77 + self.wide * u, -0.7 + self.high * v + self.swell * fade * lift + self.sag * u]
        )

    def lit(self, colour: Colour, u: float) -> Colour:
        """The colour with the light of the cloth's slope at ``u``."""
        slope = float(np.cos(2 * np.pi * self.turns * u + self.phase))
        return lighter(colour, 0.14 * slope) if slope > 0 else darker(colour, -0.17 * slope)


def _between(corners: np.ndarray, low: float, high: float) -> np.ndarray:
    """The part of a polygon from ``low`` to ``high`` across."""
    points = [(float(u), float(v)) for u, v in corners]
    for side, edge in ((1.0, low), (-1.0, high)):
        kept = []
        for (u, v), (next_u, next_v) in zip(points, points[1:] + points[:1], strict=True):
            inside, next_inside = side * (u - edge) >= 0, side * (next_u - edge) >= 0
            if inside:
                kept.append((u, v))
            if inside != next_inside:
                kept.append((edge, v + (next_v - v) * (edge - u) / (next_u - u)))
        points = kept
    return np.array(points)


def _dense(corners: np.ndarray, count: int = 8) -> np.ndarray:
    """The polygon with ``count`` points on each side, so that its sides may bend."""
    share = np.linspace(0.0, 1.0, count, endpoint=False)[None, :, None]
    between: np.ndarray = corners[:, None] * (1 - share) + np.roll(corners, -1, axis=0)[:, None] * share
    return between.reshape(-1, 2)


def _box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return rect_points((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


FIELD: Mark = (1, _box(0, 0, 1, 1))


def _stripes(upright: bool) -> Callable[[float, bool, np.random.Generator], list[Mark]]:
    def marks(_: float, third: bool, rng: np.random.Generator) -> list[Mark]:
        count = 3 if third else int(rng.choice((2, 3, 4)))
        at = np.linspace(0, 1, count + 1)
        boxes = [_box(a, 0, b, 1) if upright else _box(0, a, 1, b) for a, b in pairwise(at)]
        return [(i % (3 if third else 2), box) for i, box in enumerate(boxes)]

    return marks


def _quarters(aspect: float, third: bool, rng: np.random.Generator) -> list[Mark]:
    u, v = rng.uniform(0.46, 0.54, 2)
    middle: list[Mark] = [(2, ellipse_points(u, v, 0.16 / aspect, 0.16))] if third else []
    return [FIELD, (0, _box(0, 0, u, v)), (0, _box(u, v, 1, 1)), *middle]


def _cross(aspect: float, third: bool, rng: np.random.Generator) -> list[Mark]:
    u, wide = float(rng.choice((0.36, 0.5))), rng.uniform(0.1, 0.14)
    marks = [FIELD]
    for index, half in ((2, wide + 0.07), (0, wide))[0 if third else 1 :]:
        left, right = u - half / aspect, u + half / aspect
        corners = [(left, 0), (right, 0), (right, 0.5 - half), (1, 0.5 - half), (1, 0.5 + half)]
        corners += [(right, 0.5 + half), (right, 1), (left, 1), (left, 0.5 + half), (0, 0.5 + half)]
        marks.append((index, np.array([*corners, (0, 0.5 - half), (left, 0.5 - half)])))
    return marks


def _diagonal(_: float, third: bool, rng: np.random.Generator) -> list[Mark]:
    wide, falls = rng.uniform(0.22, 0.32), rng.random() < 0.5
    marks = [FIELD]
    for index, w in ((2, wide + 0.13), (0, wide))[0 if third else 1 :]:
        corners = np.array([(0, 0), (w, 0), (1, 1 - w), (1, 1), (1 - w, 1), (0, w)])
        marks.append((index, corners if falls else np.abs(corners - [0, 1])))
    return marks


def _disc(aspect: float, third: bool, rng: np.random.Generator) -> list[Mark]:
    u, radius = rng.uniform(0.42, 0.55), rng.uniform(0.25, 0.33)
    return [FIELD] + [
        (index, ellipse_points(u, 0.5, r / aspect, r))
        for index, r in ((2, radius + 0.09), (0, radius))[0 if third else 1 :]
    ]


def _star(aspect: float, third: bool, rng: np.random.Generator) -> list[Mark]:
    u, outer = rng.uniform(0.42, 0.55), rng.uniform(0.35, 0.41)
    return [FIELD] + [
        (index, star_points(0, 0, r, 0.42 * r, 5) * [1 / aspect, 1] + [u, 0.53])
        for index, r in ((2, outer + 0.1), (0, outer))[0 if third else 1 :]
    ]


def _border(aspect: float, third: bool, rng: np.random.Generator) -> list[Mark]:
    edge = rng.uniform(0.14, 0.22)
    insets = [(0, 0.0), *([(2, edge)] if third else []), (1, edge + (0.09 if third else 0.0))]
    return [(index, _box(e / aspect, e, 1 - e / aspect, 1 - e)) for index, e in insets]


MARKS: dict[str, Callable[[float, bool, np.random.Generator], list[Mark]]] = {
    "vertical stripes": _stripes(True),
    "horizontal stripes": _stripes(False),
    "quarters": _quarters,
    "cross": _cross,
    "diagonal": _diagonal,
    "disc": _disc,
    "star": _star,
    "border": _border,
}
