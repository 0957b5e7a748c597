"""Six data sets that the mini backbone half knows: finer classes than the eleven have, or a look that it
hardly ever saw.

How they were chosen, by zero-shot accuracy alone: docs/explanation/mini.md and `benchmarks.mini_candidates`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from promptlet.mini.families.creatures import Creature
from promptlet.mini.families.flags import Flag
from promptlet.mini.families.textures import Texture
from promptlet.mini.pen import SIZE
from promptlet.mini.scene import STYLES, Style

Classes = dict[str, Any]
"""What is drawn for each class name."""

CATS: Classes = {
    f"{colour} {coat} cat".replace(" plain", ""): Creature("cat", colour, coat)
    for colour in ("black", "brown", "grey", "orange", "white", "yellow")
    for coat in ("plain", "spotted", "striped", "patched")
}
EDGED_FLAGS: Classes = {
    f"{first} {layout} on {second} edged in {third}": Flag(layout, first, second, third)
    for layout in ("cross", "diagonal", "disc", "star", "border")
    for first, second, third in (
        ("red", "white", "blue"),
        ("blue", "white", "red"),
        ("white", "red", "black"),
        ("green", "yellow", "black"),
    )
}
COLOURED_TEXTURES: Classes = {
    f"{first} and {second} {name}": Texture(name, first, second)
    for name in ("striped", "dotted", "checked", "zigzag", "gridded", "starry")
    for first, second in (("red", "white"), ("white", "blue"), ("black", "yellow"), ("green", "white"))
}


def night(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Dark and blue, with one warm pool of light."""
    x, y = rng.uniform(-0.6, 0.6, 2)
    away = (_AXIS[None, :] - x) ** 2 + (_AXIS[:, None] - y) ** 2
    lamp = np.exp(-away / rng.uniform(0.3, 0.7))[..., None]
    lit = np.array([0.18, 0.23, 0.42]) + lamp * np.array([0.6, 0.48, 0.2])
    return Image.fromarray((np.asarray(image) * lit).clip(0, 255).astype(np.uint8))


def pixels(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Few large pixels."""
    count = int(rng.integers(14, 19))
    return image.resize((count, count), Image.Resampling.BOX).resize((SIZE, SIZE), Image.Resampling.NEAREST)


_AXIS = np.linspace(-1, 1, SIZE)
PHOTO = STYLES["photo"]
NIGHT = replace(PHOTO, look=night)
PIXELS = replace(PHOTO, look=pixels)


@dataclass(frozen=True)
class Harder:
    """family: what draws it; style: how pictures are taken; classes: None for those of the family."""

    family: str
    style: Style = PHOTO
    classes: Classes | None = None


HARDER: dict[str, Harder] = {
    "mini-cats": Harder("creatures", classes=CATS),
    "mini-textures-colours": Harder("textures", classes=COLOURED_TEXTURES),
    "mini-flags-edged": Harder("flags", classes=EDGED_FLAGS),
    "mini-objects-rendition": Harder("objects", STYLES["rendition"]),
    "mini-scenes-night": Harder("scenes", NIGHT),
    "mini-people-pixels": Harder("people", PIXELS),
}
