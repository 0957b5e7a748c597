"""The names of the mini world, without what draws it."""

from __future__ import annotations

from pathlib import Path

MINI = "mini"
"""The backbone's name; as a data set, all eleven."""

MIRRORS: dict[str, str] = {
    "mini-general": "ImageNet",
    "mini-objects": "Caltech101",
    "mini-creatures": "OxfordPets",
    "mini-vehicles": "StanfordCars",
    "mini-flowers": "Flowers102",
    "mini-plates": "Food101",
    "mini-flags": "FGVCAircraft",
    "mini-scenes": "SUN397",
    "mini-textures": "DTD",
    "mini-land": "EuroSAT",
    "mini-people": "UCF101",
    "mini-general-v2": "ImageNet-V2",
    "mini-general-sketch": "ImageNet-Sketch",
    "mini-general-hard": "ImageNet-A",
    "mini-general-rendition": "ImageNet-R",
}
"""Every data set, and the one of the field whose place it takes, in the order of the field's tables."""

EVERY_NAME = tuple(MIRRORS)
MINI_NAMES = EVERY_NAME[:11]
"""The eleven; the four that follow are shifted versions of the general one, with a test part alone."""

MODEL_FOLDER = Path(__file__).parent / "model"
"""The backbone, as transformers saves it."""
