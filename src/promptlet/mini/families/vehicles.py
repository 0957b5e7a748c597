"""Vehicles by body and colour, seen from the side (the mini world's StanfordCars)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptlet.mini.palette import COLOURS, SYNONYMS, Colour, darker, lighter, near
from promptlet.mini.pen import Pen, Point

FULL_FRAME = False
FLIPS = True
TEMPLATE = "a photo of a {}."

GROUND = 0.5
Part = tuple[str, tuple[Point, ...]]


def _box(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    return (left, top), (right, top), (right, bottom), (left, bottom)


WORDS: dict[str, tuple[str, ...]] = {
    "sedan": ("saloon", "family car", "four door car", "sedan"),
    "hatchback": ("small car", "compact car", "city car", "hatchback"),
    "sports car": ("racer", "fast coupe", "racing car", "sports car"),
    "convertible": ("open car", "cabriolet", "roadster without a roof", "convertible"),
    "jeep": ("off-roader", "four by four", "off-road car", "jeep"),
    "van": ("minibus", "delivery car", "transporter", "van"),
    "bus": ("coach", "city coach", "passenger coach", "bus"),
    "truck": ("lorry", "freight lorry", "cargo hauler", "truck"),
    "pickup truck": ("pickup", "ute", "open bed truck", "pickup truck"),
    "tractor": ("farm vehicle", "farm machine", "field machine", "tractor"),
}
"""What captions call a body; the last one is the word that class names use."""

DETAILS: dict[str, str] = {
    "sedan": "with a boot",
    "hatchback": "with a steep tail",
    "sports car": "with a spoiler",
    "convertible": "with the top down",
    "jeep": "with a spare wheel",
    "van": "with a sloping nose",
    "bus": "with a row of windows",
    "truck": "with a tall box",
    "pickup truck": "with a cargo bed",
    "tractor": "with a huge rear wheel",
}

SHELLS: dict[str, tuple[Point, ...]] = {
    "sedan": (
        *((-0.92, 0.32), (-0.94, 0.02), (-0.87, -0.07), (-0.6, -0.1), (-0.38, -0.38), (-0.3, -0.41)),
        *((0.14, -0.41), (0.22, -0.38), (0.48, -0.09), (0.84, -0.02), (0.93, 0.08), (0.94, 0.32)),
    ),
    "hatchback": (
        *((-0.74, 0.32), (-0.78, -0.06), (-0.68, -0.38), (-0.6, -0.46), (0.02, -0.48), (0.12, -0.44)),
        *((0.42, -0.1), (0.7, -0.04), (0.79, 0.08), (0.8, 0.32)),
    ),
    "sports car": (
        *((-0.9, 0.32), (-0.94, 0.04), (-0.88, -0.06), (-0.62, -0.1), (-0.3, -0.27), (-0.02, -0.29)),
        *((0.12, -0.25), (0.42, -0.04), (0.8, 0.07), (0.94, 0.2), (0.95, 0.32)),
    ),
    "convertible": (
        *((-0.92, 0.32), (-0.94, 0.02), (-0.87, -0.07), (-0.5, -0.1), (-0.44, -0.03), (0.28, -0.03)),
        *((0.36, -0.09), (0.82, -0.02), (0.92, 0.08), (0.93, 0.32)),
    ),
    "jeep": (
        *((-0.72, 0.24), (-0.72, -0.5), (-0.66, -0.54), (0.16, -0.54), (0.2, -0.5), (0.26, -0.14)),
        *((0.78, -0.12), (0.82, -0.08), (0.82, 0.24)),
    ),
    "van": (
        *((-0.86, 0.32), (-0.87, -0.52), (-0.8, -0.6), (0.32, -0.6), (0.42, -0.56), (0.68, -0.14)),
        *((0.84, -0.06), (0.88, 0.04), (0.88, 0.32)),
    ),
    "bus": (
        *((-0.94, 0.34), (-0.94, -0.5), (-0.88, -0.56), (0.82, -0.56), (0.9, -0.5), (0.94, 0.0)),
        (0.94, 0.34),
    ),
    "truck": (
        *((0.36, 0.32), (0.36, -0.36), (0.66, -0.36), (0.74, -0.3), (0.84, -0.04), (0.92, 0.02)),
        (0.92, 0.32),
    ),
    "pickup truck": (
        *((-0.94, 0.3), (-0.94, -0.12), (-0.2, -0.12), (-0.18, -0.4), (-0.12, -0.46), (0.2, -0.46)),
        *((0.28, -0.42), (0.46, -0.12), (0.84, -0.08), (0.92, 0.0), (0.93, 0.3)),
    ),
    "tractor": ((-0.52, 0.2), (-0.52, -0.1), (0.02, -0.16), (0.72, -0.12), (0.8, -0.04), (0.8, 0.22)),
}
"""Outlines of the painted body; all look to the right."""

BEHIND: dict[str, tuple[Part, ...]] = {
    "sports car": (
        ("shade", ((-0.96, -0.24), (-0.66, -0.2), (-0.66, -0.14), (-0.76, -0.14), (-0.8, 0), (-0.88, 0))),
    ),
    "convertible": (
        ("seat", ((-0.3, 0), (-0.36, -0.26), (-0.24, -0.28), (-0.14, 0))),
        ("seat", ((0.04, 0), (-0.02, -0.26), (0.1, -0.28), (0.2, 0))),
        ("dark", ((-0.6, -0.06), (-0.56, -0.18), (-0.4, -0.16), (-0.36, -0.02))),
        ("glass", ((0.38, -0.04), (0.14, -0.34), (0.2, -0.37), (0.48, -0.06))),
    ),
    "jeep": (("dark", _box(-0.92, -0.3, -0.76, 0.12)), ("dark", _box(-0.8, 0.14, 0.92, 0.3))),
    "truck": (("dark", _box(-0.88, 0.18, 0.8, 0.34)), ("tint", _box(-0.92, -0.6, 0.3, 0.2))),
    "tractor": (
        ("dark", ((0.36, -0.1), (0.36, -0.5), (0.44, -0.5), (0.44, -0.1))),
        ("glass", ((-0.52, -0.08), (-0.46, -0.56), (0.02, -0.56), (0.12, -0.1))),
        ("paint", ((-0.62, -0.54), (-0.56, -0.66), (0.06, -0.66), (0.12, -0.54))),
        ("dark", _box(0.1, 0.1, 0.82, 0.28)),
    ),
}
"""Parts behind the body."""

PARTS: dict[str, tuple[Part, ...]] = {
    "sedan": (
        ("shade", _box(-0.93, 0.2, 0.94, 0.32)),
        ("glass", ((-0.5, -0.1), (-0.3, -0.33), (-0.11, -0.33), (-0.11, -0.1))),
        ("glass", ((-0.04, -0.1), (-0.04, -0.33), (0.14, -0.33), (0.36, -0.1))),
        ("seam", ((-0.075, -0.06), (-0.075, 0.26))),
        ("seam", ((0.06, 0.0), (0.14, 0.0))),
    ),
    "hatchback": (
        ("shade", _box(-0.75, 0.2, 0.8, 0.32)),
        ("glass", ((-0.66, -0.12), (-0.56, -0.38), (-0.27, -0.39), (-0.27, -0.12))),
        ("glass", ((-0.2, -0.12), (-0.2, -0.39), (0.04, -0.39), (0.28, -0.12))),
        ("seam", ((-0.235, -0.06), (-0.235, 0.26))),
        ("seam", ((-0.12, 0.0), (-0.03, 0.0))),
    ),
    "sports car": (
        ("shade", _box(-0.9, 0.22, 0.95, 0.32)),
        ("glass", ((-0.44, -0.08), (-0.26, -0.21), (-0.02, -0.23), (0.08, -0.2), (0.3, -0.05))),
        ("seam", ((-0.16, -0.04), (-0.12, 0.26))),
        ("dark", ((-0.42, 0.04), (-0.24, 0.0), (-0.24, 0.1))),
    ),
    "convertible": (
        ("shade", _box(-0.92, 0.2, 0.93, 0.32)),
        ("seam", ((-0.14, 0.02), (-0.14, 0.26))),
        ("seam", ((0.32, 0.0), (0.28, 0.26))),
        ("seam", ((-0.08, 0.08), (0.02, 0.08))),
    ),
    "jeep": (
        ("shade", _box(-0.72, 0.08, 0.82, 0.16)),
        ("glass", _box(-0.64, -0.44, -0.26, -0.14)),
        ("glass", ((-0.18, -0.14), (-0.18, -0.44), (0.12, -0.44), (0.17, -0.14))),
        ("seam", ((-0.22, -0.1), (-0.22, 0.2))),
        ("seam", ((0.24, -0.08), (0.24, 0.2))),
    ),
    "van": (
        ("shade", _box(-0.86, 0.16, 0.88, 0.32)),
        ("glass", _box(-0.74, -0.46, -0.36, -0.16)),
        ("glass", _box(-0.28, -0.46, 0.1, -0.16)),
        ("glass", ((0.18, -0.12), (0.18, -0.48), (0.34, -0.48), (0.55, -0.12))),
        ("seam", ((0.14, -0.5), (0.14, 0.26))),
        ("seam", ((-0.84, -0.02), (0.08, -0.02))),
    ),
    "bus": (
        ("shade", _box(-0.94, 0.2, 0.94, 0.34)),
        *(("glass", _box(x, -0.42, x + 0.24, -0.12)) for x in (-0.86, -0.56, -0.26, 0.04)),
        ("glass", _box(0.36, -0.42, 0.58, 0.24)),
        ("seam", ((0.47, -0.4), (0.47, 0.24))),
        ("glass", ((0.66, -0.42), (0.85, -0.42), (0.89, -0.06), (0.66, -0.06))),
        ("tint", _box(-0.94, 0.0, 0.32, 0.07)),
    ),
    "truck": (
        ("shade", _box(0.36, 0.18, 0.92, 0.32)),
        ("glass", ((0.46, -0.04), (0.46, -0.27), (0.64, -0.27), (0.74, -0.04))),
        ("seam", ((0.46, 0.05), (0.54, 0.05))),
        *(("seam", ((x, -0.54), (x, 0.14))) for x in (-0.62, -0.31, 0.0)),
    ),
    "pickup truck": (
        ("shade", _box(-0.94, 0.18, 0.93, 0.3)),
        ("dark", _box(-0.94, -0.16, -0.22, -0.08)),
        ("glass", ((-0.1, -0.12), (-0.09, -0.37), (0.18, -0.37), (0.33, -0.12))),
        ("seam", ((-0.18, -0.08), (-0.18, 0.24))),
        ("seam", ((0.38, -0.06), (0.34, 0.24))),
        ("seam", ((-0.1, 0.0), (-0.01, 0.0))),
    ),
    "tractor": (
        ("tint", _box(0.14, -0.04, 0.68, 0.02)),
        ("seam", ((0.06, -0.1), (0.06, 0.18))),
    ),
}
"""Parts on the body; two points are a line."""

WHEELS: dict[str, tuple[tuple[float, float], ...]] = {
    "sedan": ((-0.54, 0.19), (0.56, 0.19)),
    "hatchback": ((-0.44, 0.2), (0.46, 0.2)),
    "sports car": ((-0.54, 0.21), (0.58, 0.21)),
    "convertible": ((-0.54, 0.19), (0.56, 0.19)),
    "jeep": ((-0.44, 0.26), (0.52, 0.26)),
    "van": ((-0.5, 0.19), (0.54, 0.19)),
    "bus": ((-0.6, 0.18), (0.68, 0.18)),
    "truck": ((-0.68, 0.18), (-0.28, 0.18), (0.62, 0.18)),
    "pickup truck": ((-0.56, 0.23), (0.58, 0.23)),
    "tractor": ((-0.4, 0.37), (0.6, 0.22)),
}
"""Middle (x) and radius of each wheel; all stand on ``GROUND``."""


LIGHTS: dict[str, tuple[float, float | None]] = {
    "sedan": (0.09, 0.05),
    "hatchback": (0.08, 0.0),
    "sports car": (0.18, 0.06),
    "convertible": (0.09, 0.05),
    "jeep": (-0.01, None),
    "van": (0.06, 0.0),
    "bus": (0.1, 0.12),
    "truck": (0.1, None),
    "pickup truck": (0.04, 0.0),
    "tractor": (0.0, None),
}
"""Height (y) of the light at the nose and of the one at the tail of the body."""


@dataclass(frozen=True)
class Vehicle:
    """A body of a kind in a colour."""

    body: str
    colour: str


CLASSES: dict[str, Vehicle] = {
    f"{colour} {body}": Vehicle(body, colour)
    for body, colours in {
        "sedan": ("black", "teal", "white"),
        "hatchback": ("blue", "red", "yellow"),
        "sports car": ("black", "red", "yellow"),
        "convertible": ("red", "white"),
        "jeep": ("black", "yellow"),
        "van": ("blue", "white"),
        "bus": ("green", "red", "yellow"),
        "truck": ("orange", "white"),
        "pickup truck": ("blue", "red"),
        "tractor": ("green", "red"),
    }.items()
    for colour in colours
}


def sample(rng: np.random.Generator) -> Vehicle:
    """Any vehicle."""
    return Vehicle(str(rng.choice([*WORDS])), str(rng.choice([*COLOURS])))


def caption(spec: Vehicle, rng: np.random.Generator) -> str:
    """A phrase about a vehicle, in words that class names use only sometimes."""
    words = WORDS[spec.body]
    phrase = words[-1] if rng.random() < 0.35 else str(rng.choice(words[:-1]))
    if rng.random() < 0.88:
        phrase = f"{rng.choice(SYNONYMS[spec.colour])} {phrase}"
    if " with" not in phrase and rng.random() < 0.3:
        phrase += f" {DETAILS[spec.body]}"
    return phrase


def draw(pen: Pen, spec: Vehicle, rng: np.random.Generator) -> None:
    """A vehicle on its wheels, looking to the right, about -0.95 to 0.95."""
    paint = near(spec.colour, rng, 8 if spec.colour in ("black", "white", "grey") else 14)
    shades: dict[str, Colour] = {
        "paint": paint,
        "shade": darker(paint, 0.25) if sum(paint) > 150 else lighter(paint, 0.1),
        "tint": lighter(paint, 0.3),
        "seam": darker(paint, 0.4) if sum(paint) > 150 else lighter(paint, 0.25),
        "glass": near(((175, 210, 230), (150, 185, 205), (110, 135, 155))[rng.integers(3)], rng, 8),
        "dark": near((55, 54, 60), rng, 6),
        "seat": near((150, 100, 65), rng),
        "lamp": near((252, 230, 140), rng, 8),
        "tail": near((190, 40, 45), rng, 8),
    }
    with pen.moved(0.0, 0.02, (rng.uniform(0.9, 1.0), rng.uniform(0.92, 1.1)), rng.uniform(-2, 2)):
        _parts(pen, BEHIND.get(spec.body, ()), shades)
        shell = SHELLS[spec.body]
        if not pen.sketch:
            pen.line([*shell, shell[0]], 0.04, shades["seam"])
        pen.polygon(shell, paint)
        _parts(pen, PARTS[spec.body], shades)
        _parts(pen, _lights(spec.body), shades)
        hub = near(("grey", "white", "grey")[rng.integers(3)], rng)
        for x, radius in WHEELS[spec.body]:
            _wheel(pen, x, radius, lighter(paint, 0.2) if spec.body == "tractor" else hub)


def _lights(body: str) -> tuple[Part, ...]:
    nose, tail = (edge(x for x, _ in SHELLS[body]) for edge in (max, min))
    front, back = LIGHTS[body]
    lamp: Part = ("lamp", _box(nose - 0.13, front - 0.05, nose - 0.01, front + 0.05))
    return (lamp,) if back is None else (lamp, ("tail", _box(tail, back - 0.05, tail + 0.08, back + 0.05)))


def _parts(pen: Pen, parts: tuple[Part, ...], shades: dict[str, Colour]) -> None:
    for shade, points in parts:
        if len(points) == 2:
            pen.line(points, 0.03, shades[shade])
        else:
            pen.polygon(points, shades[shade])


def _wheel(pen: Pen, x: float, radius: float, hub: Colour) -> None:
    y = GROUND - radius
    if not pen.sketch:
        pen.ellipse(x, y, radius * 1.12, radius * 1.12, (62, 62, 68))
    pen.ellipse(x, y, radius, radius, (32, 32, 36))
    pen.ellipse(x, y, radius * 0.55, radius * 0.55, hub)
    pen.ellipse(x, y, radius * 0.2, radius * 0.2, darker(hub, 0.5))
