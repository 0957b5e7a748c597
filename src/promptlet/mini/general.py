"""Pictures of several concepts: a thing in a colour, two things side by side, or one of any other family.

The mini world's ImageNet: many classes, made of what the other families draw one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from promptlet.mini.families import FAMILIES, objects
from promptlet.mini.pen import Pen

FULL_FRAME = False
FLIPS = True
TEMPLATE = "a photo of a {}."

COLOURED = {
    "anchor": ("blue", "red"),
    "balloon": ("red", "yellow"),
    "bottle": ("green", "brown"),
    "chair": ("orange", "purple"),
    "cup": ("white", "teal"),
    "hat": ("black", "pink"),
    "house": ("grey", "yellow"),
    "kite": ("purple", "green"),
    "umbrella": ("blue", "pink"),
}
PAIRS = (
    ("apple", "book"),
    ("apple", "clock"),
    ("bell", "key"),
    ("bell", "leaf"),
    ("book", "lamp"),
    ("clock", "lamp"),
    ("crown", "key"),
    ("crown", "star"),
    ("fork", "mushroom"),
    ("hammer", "pencil"),
    ("hammer", "scissors"),
    ("leaf", "mushroom"),
    ("pencil", "star"),
    ("rocket", "scissors"),
    ("rocket", "tree"),
    ("table", "tree"),
)
OTHERS = (
    ("creatures", 6),
    ("flowers", 4),
    ("plates", 4),
    ("vehicles", 6),
)
"""How many of each of these families' classes are taken, spread evenly over its list."""


@dataclass(frozen=True)
class Group:
    """One or two subjects: (family, spec) each."""

    parts: tuple[tuple[str, Any], ...]


def _classes() -> dict[str, Group]:
    found: dict[str, Group] = {}
    for noun, colours in COLOURED.items():
        for colour in colours:
            found[f"{colour} {noun}"] = Group((("objects", objects.Thing(noun, colour)),))
    for first, second in PAIRS:
        found[f"{first} and {second}"] = Group((_any(first), _any(second)))
    for name, count in OTHERS:
        theirs = FAMILIES[name].CLASSES
        for title in sorted(theirs)[:: max(1, len(theirs) // count)][:count]:
            found[title] = Group(((name, theirs[title]),))
    return found


def _any(noun: str) -> tuple[str, Any]:
    return "objects", objects.Thing(noun, None)


CLASSES: dict[str, Group] = _classes()


def sample(rng: np.random.Generator) -> Group:
    """Two things of any kind, now and then with a colour, or one."""
    count = 1 if rng.random() < 0.3 else 2
    return Group(tuple(("objects", objects.sample(rng)) for _ in range(count)))


def caption(spec: Group, rng: np.random.Generator) -> str:
    """What stands there, in any order."""
    phrases = [FAMILIES[family].caption(part, rng) for family, part in spec.parts]
    if len(phrases) > 1 and rng.random() < 0.5:
        phrases.reverse()
    joint = str(rng.choice((" and ", " and a ", " beside a ", " next to a ")))
    return joint.join(phrases)


def draw(pen: Pen, spec: Group, rng: np.random.Generator) -> None:
    """One subject, or two side by side."""
    if len(spec.parts) == 1:
        family, part = spec.parts[0]
        FAMILIES[family].draw(pen, part, rng)
        return
    turned = list(spec.parts)
    if rng.random() < 0.5:
        turned.reverse()
    for side, (family, part) in zip((-1, 1), turned, strict=True):
        with pen.moved(side * 0.48, rng.uniform(-0.12, 0.12), rng.uniform(0.5, 0.6), rng.uniform(-8, 8)):
            FAMILIES[family].draw(pen, part, rng)
