"""The names of the mini world, without what draws it."""

from __future__ import annotations

from pathlib import Path

MINI = "mini"
"""The backbone's name; as a data set, all eleven."""
HARDER = "mini-harder"
"""As a data set, all of `HARDER_NAMES`."""

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
"""The data sets that take the place of one of the field, in the order of the field's tables."""

HARDER_NAMES: dict[str, str] = {
    "mini-cats": "harder: cats alone, by coat and colour",
    "mini-textures-colours": "harder: six patterns, each in four pairs of colours",
    "mini-flags-edged": "harder: marks on flags in three colours",
    "mini-objects-rendition": "harder: objects as posters, mosaics and prints",
    "mini-scenes-night": "harder: scenes in the dark",
    "mini-people-pixels": "harder: people in few large pixels",
}
"""Data sets of which zero-shot gets a half to three quarters right, and what makes them so."""

EVERY_NAME = (*MIRRORS, *HARDER_NAMES)
MINI_NAMES = tuple(MIRRORS)[:11]
"""The eleven."""
SHIFT_NAMES = tuple(MIRRORS)[11:]
"""Shifted versions of the general one, with a test part alone."""

MODEL_FOLDER = Path(__file__).parent / "model"
"""The backbone, as transformers saves it."""
