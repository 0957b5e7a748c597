"""Scenes by place, time of day and snow (the mini world's SUN397)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from promptlet.mini.painters.nature import NATURE
from promptlet.mini.painters.rooms import ROOMS
from promptlet.mini.painters.town import TOWN
from promptlet.mini.painters.view import DOT, View
from promptlet.mini.pen import Pen

FULL_FRAME = True
FLIPS = True
TEMPLATE = "a photo of a {}."

PLACES: dict[str, tuple[str, ...]] = {
    "beach": ("sandy shore with a parasol", "seaside sand", "sunshade by the sea"),
    "bedroom": ("room with a bed", "sleeping room", "bed and pillow by a wall"),
    "castle hill": ("fortress on a rise", "towers above a slope", "old stronghold on high ground"),
    "cave": ("grotto", "dark cavern with a bright mouth", "hollow in the rock"),
    "city": ("skyline", "downtown towers", "skyscrapers with lit windows"),
    "city street": ("road between houses", "avenue with tall buildings", "urban lane"),
    "desert": ("dunes with a cactus", "dry sand hills", "hot sandy waste"),
    "farm field": ("red barn with crops", "rows of crops", "ploughed country ground"),
    "forest": ("woods", "many trees", "woodland"),
    "harbor": ("boats at a quay", "sailing ships in port", "marina"),
    "kitchen": ("room with a stove", "cooking room with cupboards", "oven and fridge"),
    "lake": ("still water among hills", "pond below trees", "calm water with a far shore"),
    "library": ("shelves of books", "bookcases", "reading room"),
    "lighthouse coast": ("striped beacon on a cliff", "sea tower on rocks", "beacon by the shore"),
    "mountain": ("peaks", "high rocky summits", "alpine range"),
    "office": ("desk with a screen", "workplace with a computer", "work room"),
    "playground": ("swing and slide", "place for children to play", "slide in a park"),
    "railway": ("tracks with sleepers", "train line", "rails running far away"),
    "river bridge": ("arches over a stream", "stone crossing over water", "viaduct above a stream"),
    "stadium": ("sports arena", "pitch with stands", "football ground"),
    "village": ("small houses", "hamlet with cottages", "country homes"),
    "volcano": ("erupting crater", "smoking cone with lava", "fiery peak"),
    "waterfall": ("cascade over cliffs", "falling stream", "water plunging down rocks"),
}
INDOORS = ("bedroom", "cave", "kitchen", "library", "office")
SNOWY = ("castle hill", "farm field", "forest", "lake", "mountain", "railway", "river bridge", "village")
TIMES = {
    "day": ("by day", "in daylight", "under a blue sky"),
    "evening": ("in the evening", "at sunset", "at dusk"),
    "night": ("at night", "in the dark", "under the moon"),
}
_PAINTERS: dict[str, Callable[[View], None]] = {**NATURE, **TOWN, **ROOMS}


@dataclass(frozen=True)
class Scene:
    """A place at a time of day (None: day or evening), maybe in snow."""

    place: str
    time: str | None = None
    snow: bool = False


CLASSES: dict[str, Scene] = {
    **{place: Scene(place) for place in PLACES if place not in ("city", "village")},
    "night city": Scene("city", "night"),
    "snowy mountain": Scene("mountain", None, snow=True),
    "snowy village": Scene("village", None, snow=True),
}


def sample(rng: np.random.Generator) -> Scene:
    """Any scene; snow only where it looks right."""
    place = str(rng.choice([*PLACES]))
    time = None if place in INDOORS or rng.random() < 0.4 else str(rng.choice([*TIMES]))
    return Scene(place, time, snow=place in SNOWY and rng.random() < 0.4)


def caption(spec: Scene, rng: np.random.Generator) -> str:
    """A phrase about a scene, in words that class names use only sometimes."""
    words = spec.place if rng.random() < 0.5 else str(rng.choice(PLACES[spec.place]))
    if spec.snow and rng.random() < 0.85:
        words = f"{rng.choice(('snowy', 'wintry', 'white', 'snowy'))} {words}"
    if spec.time and rng.random() < 0.75:
        if rng.random() < 0.35:
            return f"{spec.time} {words}"
        return f"{words} {rng.choice(TIMES[spec.time])}"
    return words


def draw(pen: Pen, spec: Scene, rng: np.random.Generator) -> None:
    """A scene over the whole frame."""
    time = spec.time or str(rng.choice(("day", "day", "day", "evening")))
    view = View(pen, rng, time, spec.snow, rng.uniform(-0.1, 0.2))
    with pen.moved(scale=(float(rng.choice([-1, 1])), 1.0)):
        if spec.place not in INDOORS:
            view.sky()
        _PAINTERS[spec.place](view)
        if spec.snow:
            for x, y in rng.uniform(-1, 1, (12, 2)):
                pen.polygon(DOT * 0.03 + (x, y), (255, 255, 255))
