"""Flowers by petals and colour (the mini world's Flowers102)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptlet.mini.palette import COLOURS, SYNONYMS, darker, lighter, near
from promptlet.mini.pen import Pen, curve_points, ellipse_points, star_points

FULL_FRAME = False
FLIPS = True
TEMPLATE = "a photo of a {}."

PETALS = ("round", "pointed", "many", "bell", "heart")
WORDS = {
    "round": ("round petals", "buttercup shape", "five broad petals"),
    "pointed": ("pointed petals", "star shape", "sharp petals"),
    "many": ("many thin petals", "daisy shape", "a ring of narrow petals"),
    "bell": ("a hanging bell", "tulip cup", "closed cup"),
    "heart": ("heart petals", "notched petals", "pansy shape"),
}
NOUNS = {"round": "buttercup", "pointed": "lily", "many": "daisy", "bell": "tulip", "heart": "pansy"}


@dataclass(frozen=True)
class Flower:
    """Petals of a form and a colour about a middle of a colour."""

    petals: str
    colour: str
    middle: str = "yellow"


CLASSES: dict[str, Flower] = {
    f"{colour} {NOUNS[petals]}": Flower(petals, colour)
    for petals, colours in {
        "round": ("yellow", "white", "purple", "pink"),
        "pointed": ("white", "orange", "red", "blue"),
        "many": ("white", "yellow", "pink", "purple"),
        "bell": ("red", "yellow", "purple", "orange"),
        "heart": ("blue", "purple", "yellow", "red"),
    }.items()
    for colour in colours
}


def sample(rng: np.random.Generator) -> Flower:
    """Any flower."""
    middles = ("yellow", "brown", "orange", "white")
    return Flower(str(rng.choice(PETALS)), str(rng.choice([*COLOURS])), str(rng.choice(middles)))


def caption(spec: Flower, rng: np.random.Generator) -> str:
    """A phrase about a flower, in words that class names use only sometimes."""
    colour = str(rng.choice(SYNONYMS[spec.colour]))
    noun = NOUNS[spec.petals] if rng.random() < 0.5 else str(rng.choice(("flower", "blossom", "bloom")))
    phrase = f"{colour} {noun}"
    if noun != NOUNS[spec.petals] or rng.random() < 0.3:
        phrase += f" with {rng.choice(WORDS[spec.petals])}"
    return phrase


def draw(pen: Pen, spec: Flower, rng: np.random.Generator) -> None:
    """A flower on its stem, about -0.9 to 0.9."""
    stem = near("green", rng)
    bend = rng.uniform(-0.25, 0.25)
    pen.line(curve_points([(0, -0.1), (bend, 0.4), (bend / 2, 1.0)]), 0.07, stem)
    side = rng.choice([-1, 1])
    pen.ellipse(0.24 * side, 0.62, 0.24, 0.08, near("green", rng), angle=-35 * side)
    petal = near(spec.colour, rng)
    with pen.moved(0.0, -0.25, 0.62, rng.uniform(-20, 20)):
        if spec.petals == "bell":
            _bell(pen, petal)
        else:
            _ring(pen, spec, petal, rng)


def _ring(pen: Pen, spec: Flower, petal: tuple[int, int, int], rng: np.random.Generator) -> None:
    count = {"round": 5, "pointed": 6, "many": 14, "heart": 5}[spec.petals]
    for i in range(count):
        shade = lighter(petal, 0.12) if i % 2 else darker(petal, 0.1)
        with pen.moved(angle=360 * i / count):
            if spec.petals == "pointed":
                pen.polygon([(-0.17, -0.2), (0, -1.0), (0.17, -0.2), (0, 0)], shade)
            elif spec.petals == "many":
                pen.polygon(ellipse_points(0, -0.6, 0.1, 0.42), shade)
            elif spec.petals == "heart":
                pen.polygon(
                    [(0, 0), (-0.42, -0.7), (-0.22, -0.98), (0, -0.78), (0.22, -0.98), (0.42, -0.7)], shade
                )
            else:
                pen.ellipse(0, -0.55, 0.34, 0.42, shade)
    middle = near(spec.middle, rng)
    size = 0.28 if spec.petals == "many" else 0.18
    pen.ellipse(0, 0, size, size, middle)


def _bell(pen: Pen, petal: tuple[int, int, int]) -> None:
    pen.polygon(star_points(0, -0.35, 0.75, 0.45, 3), darker(petal, 0.15))
    pen.polygon(
        [
            *curve_points([(-0.6, -0.75), (-0.75, 0.6), (0, 0.55)]),
            *curve_points([(0, 0.55), (0.75, 0.6), (0.6, -0.75)]),
            (0.3, -0.35),
            (0, -0.8),
            (-0.3, -0.35),
        ],
        petal,
    )
    pen.line([(0, -0.7), (0, 0.4)], 0.05, darker(petal, 0.25))
