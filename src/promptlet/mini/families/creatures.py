"""Animals by kind, form, coat and colour (the mini world's OxfordPets)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptlet.mini.palette import COLOURS, SYNONYMS, Colour, darker, lighter, mix, near
from promptlet.mini.pen import Pen, Point, curve_points, ellipse_points

FULL_FRAME = False
FLIPS = True
TEMPLATE = "a photo of a {}."

COATS = ("plain", "striped", "spotted", "patched")
FORMS = {"cat": "lop", "dog": "lop", "rabbit": "lop", "bird": "crested", "fish": "crested"}
"""The one unusual form that each kind has: hanging ears, or a crest."""

NOUNS = {
    "cat": ("kitten", "feline", "cat"),
    "dog": ("puppy", "hound", "dog"),
    "rabbit": ("bunny", "hare", "rabbit"),
    "bird": ("parrot", "songbird", "bird"),
    "fish": ("aquarium fish", "goldfish", "fish"),
}
WORDS = {
    "plain": ("plain", "one-coloured", ""),
    "striped": ("banded", "tiger-marked", "striped"),
    "spotted": ("speckled", "dotted", "spotted"),
    "patched": ("piebald", "blotched", "patched"),
    "lop": ("floppy-eared", "droopy-eared", "lop"),
    "crested": ("tufted", "spiky", "crested"),
}


@dataclass(frozen=True)
class Creature:
    """A kind of animal with a coat in a colour; ``odd``: in its kind's unusual form."""

    kind: str
    colour: str
    coat: str = "plain"
    odd: bool = False


def _named(name: str) -> Creature:
    words = name.split()
    colour = next(word for word in words if word in COLOURS)
    coat = next((word for word in words if word in COATS), "plain")
    return Creature(words[-1], colour, coat, FORMS[words[-1]] in words)


CLASSES: dict[str, Creature] = {
    name: _named(name)
    for name in (
        *("black cat", "grey striped cat", "lop orange cat"),
        *("orange patched cat", "striped brown cat", "striped orange cat"),
        *("brown lop dog", "brown spotted dog", "patched black dog", "white lop dog"),
        *(
            "brown patched rabbit",
            "grey lop rabbit",
            "lop white rabbit",
            "spotted grey rabbit",
            "white rabbit",
        ),
        *("blue striped bird", "crested blue bird", "spotted blue bird", "white crested bird"),
        *(
            "black spotted fish",
            "crested orange fish",
            "orange striped fish",
            "spotted orange fish",
            "striped blue fish",
        ),
    )
}


def sample(rng: np.random.Generator) -> Creature:
    """Any animal."""
    kind, colour, coat = (str(rng.choice(choices)) for choices in ([*FORMS], [*COLOURS], COATS))
    return Creature(kind, colour, coat, bool(rng.random() < 0.4))


def caption(spec: Creature, rng: np.random.Generator) -> str:
    """A phrase about an animal, in words that class names use only sometimes."""
    parts = [str(rng.choice(WORDS[spec.coat]))] if rng.random() < 0.85 else []
    parts.append(str(rng.choice(SYNONYMS[spec.colour])))
    if spec.odd and rng.random() < 0.85:
        parts.append(str(rng.choice(WORDS[FORMS[spec.kind]])))
    order = rng.permutation(len(parts))
    return " ".join([word for i in order if (word := parts[i])] + [str(rng.choice(NOUNS[spec.kind]))])


@dataclass(frozen=True)
class Build:
    """The proportions of a four-legged kind; ellipses as (x, y, rx, ry)."""

    body: tuple[float, float, float, float]
    head: tuple[float, float, float, float]
    legs: tuple[float, ...]
    leg: tuple[float, float]
    ear: tuple[Point, ...]
    lop_ear: tuple[Point, ...]
    tail: tuple[Point, ...]


BUILDS = {
    "cat": Build(
        body=(-0.14, 0.28, 0.52, 0.3),
        head=(0.4, -0.2, 0.38, 0.33),
        legs=(-0.46, -0.27, 0.06, 0.25),
        leg=(0.09, 0.32),
        ear=((-0.2, -0.1), (-0.95, -0.3), (-0.95, -1.75), (-0.1, -0.75)),
        lop_ear=((-0.2, -0.7), (-0.75, -1.2), (-1.35, -0.55), (-0.85, -0.25)),
        tail=((-0.55, 0.25), (-1.05, 0.2), (-0.6, -0.45), (-0.95, -0.55)),
    ),
    "dog": Build(
        body=(-0.16, 0.18, 0.52, 0.27),
        head=(0.4, -0.3, 0.32, 0.32),
        legs=(-0.52, -0.3, 0.05, 0.26),
        leg=(0.1, 0.42),
        ear=((-0.35, -0.7), (-0.9, -0.3), (-1.25, -0.95), (-0.95, -1.4), (-0.65, -1.25)),
        lop_ear=((-0.35, -0.95), (-0.9, -0.95), (-1.5, 0.3), (-1.2, 0.85), (-0.8, 0.35)),
        tail=((-0.55, 0.12), (-0.85, 0.1), (-0.78, -0.2)),
    ),
    "rabbit": Build(
        body=(-0.12, 0.4, 0.56, 0.4),
        head=(0.36, 0.02, 0.34, 0.31),
        legs=(-0.4, -0.2, 0.2, 0.36),
        leg=(0.16, 0.1),
        ear=((-0.1, -0.7), (-0.7, -0.6), (-0.95, -2.2), (-0.65, -2.75), (-0.3, -2.3)),
        lop_ear=((-0.2, -0.95), (-0.8, -1.0), (-1.5, 0.4), (-1.45, 1.3), (-0.95, 1.2), (-0.7, 0.2)),
        tail=(),
    ),
}

SPOTS = (
    *((-0.68, -0.2, 0.15), (-0.42, 0.3, 0.13), (-0.28, -0.5, 0.15), (-0.05, -0.02, 0.14)),
    *((0.12, 0.55, 0.12), (0.2, -0.62, 0.14), (0.42, 0.08, 0.15), (0.7, -0.3, 0.13)),
)
"""Spots (x, y, radius) in a body's ellipse, taken as a unit disc; likewise the rest."""

PATCHES = ((-0.45, -0.28, 0.34, 0.46), (0.3, 0.18, 0.3, 0.42))
STRIPES = (-0.72, -0.38, -0.04, 0.3, 0.62)


def draw(pen: Pen, spec: Creature, rng: np.random.Generator) -> None:
    """The whole animal, its head to the right."""
    coat = lighter(darker(near(spec.colour, rng, 5.0), rng.uniform(0, 0.14)), rng.uniform(0, 0.1))
    mark = _mark_colour(coat, spec.coat)
    stretch = (rng.uniform(0.98, 1.12), rng.uniform(1.0, 1.12))
    with pen.moved(0.02, -0.02, stretch, rng.uniform(-5, 5), rng.uniform(-0.08, 0.08)):
        if spec.kind == "fish":
            _fish(pen, spec, coat, mark, rng)
        elif spec.kind == "bird":
            _bird(pen, spec, coat, mark, rng)
        else:
            _beast(pen, spec, coat, mark, rng)


def _mark_colour(coat: Colour, pattern: str) -> Colour:
    """Dark marks on light coats, light marks on dark ones; patches in white or near black."""
    light = sum(coat) / 3 > (190 if pattern == "patched" else 95)
    if pattern == "patched":
        return mix(coat, (70, 55, 50), 0.85) if light else mix(coat, (250, 246, 236), 0.85)
    return mix(coat, (40, 28, 25), 0.62) if light else mix(coat, (255, 250, 240), 0.6)


def _marks(pen: Pen, pattern: str, mark: Colour, rng: np.random.Generator, depth: float = 0.25) -> None:
    """The coat's marks on a unit disc; stripes go down to ``depth`` of the way from top to bottom."""
    dx, dy = rng.uniform(-0.06, 0.06, 2)
    if pattern == "spotted":
        for x, y, radius in SPOTS:
            pen.polygon(ellipse_points(x + dx, y + dy, radius, radius * 1.3, count=10), mark)
    elif pattern == "patched":
        for x, y, rx, ry in PATCHES:
            pen.ellipse(x + dx, y + dy, rx, ry, mark, angle=25 * dx / 0.06)
    elif pattern == "striped":
        for x in STRIPES:
            left, mid, right = x + dx - 0.09, x + dx, x + dx + 0.09
            low = depth * float(np.sqrt(1 - mid**2))
            top = -np.sqrt(1 - np.array([left, mid, right]) ** 2)
            ends = [(right - 0.04, low), (left + 0.04, low)]
            pen.polygon([(left, top[0]), (mid, top[1]), (right, top[2]), *ends], mark)


def _beast(pen: Pen, spec: Creature, coat: Colour, mark: Colour, rng: np.random.Generator) -> None:
    build = BUILDS[spec.kind]
    x, y, rx, ry = build.body
    if build.tail:
        pen.line(curve_points(build.tail), 0.13, darker(coat, 0.14))
    else:
        pen.ellipse(-0.68, 0.5, 0.15, 0.15, lighter(coat, 0.4))
    for i, at in enumerate(build.legs):
        foot = at + rng.uniform(-0.03, 0.03)
        pen.ellipse(foot, 0.82 - build.leg[1], *build.leg, darker(coat, 0.22 if i % 2 else 0.08))
        pen.ellipse(foot + 0.03, 0.8, 0.12, 0.07, lighter(coat, 0.15 if i % 2 else 0.35))
    pen.ellipse(x, y, rx, ry, coat)
    with pen.moved(x, y, (rx, ry)):
        pen.ellipse(0.1, 0.72, 0.6, 0.22, lighter(coat, 0.22))
        _marks(pen, spec.coat, mark, rng)
    if spec.kind == "dog":
        pen.rect(0.27, 0.06, 0.36, 0.1, (205, 60, 60), angle=28)
    hx, hy, hrx, hry = build.head
    with pen.moved(hx, hy + rng.uniform(-0.04, 0.04), (hrx, hry), rng.uniform(-8, 8)):
        _head(pen, spec, coat, mark)


def _head(pen: Pen, spec: Creature, coat: Colour, mark: Colour) -> None:
    """A face from the front on a unit disc."""
    build = BUILDS[spec.kind]
    if not spec.odd:
        _ears(pen, build.ear, darker(coat, 0.12), inner=True)
    pen.ellipse(0, 0, 1, 1, lighter(coat, 0.06))
    if spec.coat == "patched":
        pen.ellipse(0.4, -0.22, 0.42, 0.48, mark)
    elif spec.coat == "striped":
        for x in (-0.36, 0.0, 0.36):
            pen.polygon([(x - 0.09, -0.92), (x + 0.09, -0.92), (x * 0.8, -0.42)], mark)
    elif spec.coat == "spotted":
        for x, y in ((-0.1, -0.7), (0.32, -0.56), (-0.78, 0.2), (0.78, 0.2)):
            pen.polygon(ellipse_points(x, y, 0.13, 0.13, count=8), mark)
    if spec.odd:
        _ears(pen, build.lop_ear, darker(coat, 0.28), inner=False)
    _face(pen, spec.kind, coat)


def _ears(pen: Pen, ear: tuple[Point, ...], colour: Colour, inner: bool) -> None:
    for side in (1.0, -1.0):
        points = np.asarray(ear) * [side, 1.0]
        pen.polygon(points, colour)
        if inner:
            pen.polygon(points.mean(0) + (points - points.mean(0)) * 0.5, mix(colour, (240, 160, 165), 0.6))


def _face(pen: Pen, kind: str, coat: Colour) -> None:
    dark, muzzle = (35, 30, 32), lighter(coat, 0.55)
    width, height, low = {"cat": (0.4, 0.3, 0.42), "dog": (0.58, 0.52, 0.55), "rabbit": (0.36, 0.3, 0.45)}[
        kind
    ]
    pen.ellipse(0, low, width, height, muzzle)
    for x in (-0.42, 0.42):
        pen.ellipse(x, -0.1, 0.17, 0.2, (245, 243, 235))
        pen.ellipse(x + 0.03, -0.08, 0.11 if kind == "cat" else 0.13, 0.18, dark)
    if kind == "dog":
        pen.ellipse(0, 0.28, 0.24, 0.17, dark)
        pen.polygon([(-0.16, 0.66), (0.16, 0.66), (0.1, 1.0), (-0.1, 1.0)], (225, 110, 120))
    else:
        pen.polygon([(-0.14, 0.24), (0.14, 0.24), (0, 0.42)], (215, 115, 120))
    if kind == "cat":
        for side, y in ((-1, 0.3), (-1, 0.55), (1, 0.3), (1, 0.55)):
            pen.line([(0.45 * side, 0.42), (1.15 * side, y)], 0.09, lighter(dark, 0.3))
    elif kind == "rabbit":
        pen.rect(0, 0.66, 0.22, 0.24, (252, 250, 245))


def _fish(pen: Pen, spec: Creature, coat: Colour, mark: Colour, rng: np.random.Generator) -> None:
    fin = darker(coat, 0.2)
    swing = rng.uniform(-0.1, 0.1)
    pen.polygon([(-0.4, 0), (-0.88, -0.42 + swing), (-0.74, swing), (-0.88, 0.42 + swing)], fin)
    pen.polygon([(0.1, 0.3), (-0.12, 0.7), (-0.3, 0.66), (-0.25, 0.25)], fin)
    if spec.odd:
        pen.polygon(
            [
                (0.4, -0.2),
                (0.3, -0.85),
                (0.12, -0.55),
                (-0.04, -0.9),
                (-0.16, -0.5),
                (-0.4, -0.7),
                (-0.4, -0.1),
            ],
            fin,
        )
    else:
        pen.polygon([(0.3, -0.3), (0.0, -0.62), (-0.35, -0.56), (-0.35, -0.2)], fin)
    with pen.moved(0.1, 0, (0.66, 0.45)):
        pen.ellipse(0, 0, 1, 1, coat)
        pen.ellipse(0.05, 0.7, 0.55, 0.2, lighter(coat, 0.3))
        with pen.moved(-0.12, 0, (0.85, 1.0)):
            _marks(pen, spec.coat, mark, rng, depth=0.95)
    pen.polygon([(0.24, 0.08), (-0.06, 0.02), (-0.1, 0.22)], lighter(fin, 0.25))
    pen.ellipse(0.52, -0.09, 0.1, 0.11, (250, 248, 240))
    pen.ellipse(0.54, -0.09, 0.055, 0.06, (30, 28, 32))
    pen.line(curve_points([(0.74, 0.08), (0.66, 0.17), (0.58, 0.13)], 6), 0.04, darker(coat, 0.5))


def _bird(pen: Pen, spec: Creature, coat: Colour, mark: Colour, rng: np.random.Generator) -> None:
    horn = near((232, 160, 50), rng, 10.0)
    for x in (-0.08, 0.14):
        pen.line([(x, 0.5), (x, 0.84), (x + 0.12, 0.84)], 0.05, darker(horn, 0.2))
    pen.polygon([(-0.35, 0.02), (-0.92, 0.3), (-0.86, 0.5), (-0.25, 0.4)], darker(coat, 0.3))
    if spec.odd:
        for angle in (-50, -22, 6):
            with pen.moved(0.36, -0.35, angle=angle + rng.uniform(-5, 5)):
                pen.polygon([(-0.1, -0.1), (-0.06, -0.5), (0.03, -0.6), (0.1, -0.1)], darker(coat, 0.18))
    pen.ellipse(0.0, 0.2, 0.54, 0.4, coat, angle=-24)
    pen.polygon([(0.58, -0.42), (0.9, -0.26), (0.58, -0.16)], horn)
    pen.ellipse(0.38, -0.3, 0.29, 0.29, lighter(coat, 0.06))
    pen.ellipse(0.22, 0.34, 0.24, 0.18, lighter(coat, 0.4), angle=-40)
    with pen.moved(-0.12, 0.14, (0.48, 0.3), -18 + rng.uniform(-6, 6)):
        pen.ellipse(0, 0, 1, 1, darker(coat, 0.14))
        _marks(pen, spec.coat, mark, rng, depth=0.9)
    pen.ellipse(0.46, -0.34, 0.085, 0.085, (248, 246, 240))
    pen.ellipse(0.48, -0.34, 0.05, 0.05, (28, 26, 30))
