"""Feature files made by hand, for the tests beside this file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from promptlet.data import SPLIT_NAMES, FeatureFile, write_feature_file
from promptlet.data.items import Item, Split

NAMES = ("cat", "dog", "box", "photo", "the cat")
COUNTS = {"train": 6, "val": 2, "test": 7}


def write_toy(
    path: Path, dim: int = 16, seed: int = 0, names: tuple[str, ...] = NAMES, test: bool = True
) -> Path:
    """Random features around a random centre per class: 6 train, 2 val and 7 test images of each."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(len(names), dim))
    counts = COUNTS if test else {**COUNTS, "test": 0}
    parts, features = [], []
    for part in SPLIT_NAMES:
        items = []
        for i in range(counts[part]):
            for label, name in enumerate(names):  # classes take turns, as in no real file
                items.append(Item(Path(f"{name}/{part}{i}.jpg"), label, name))
                features.append(centres[label] + draw.normal(size=dim))
        parts.append(tuple(items))
    write_feature_file(path, FeatureFile.of(Split(path.stem, names, *parts), np.array(features)))
    return path
