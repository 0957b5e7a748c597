"""Block means of some pictures of every data set: what pins the drawings. A script, for after a new VERSION.

Means over 16 x 16 pixels, so that a machine whose last bits differ sees the same; a changed drawing, or one
random number more or fewer, moves them by far more than `TOLERANCE`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from promptlet.mini.datasets import EVERY_DATASET, VERSION, MiniDataset
from promptlet.mini.pen import SIZE

GOLDEN = Path(__file__).parent / "pictures.json"
BLOCKS = 4
TOLERANCE = 0.5
"""Of 255."""


def block_means(dataset: MiniDataset) -> list[list[float]]:
    """Of picture 3 of the test part, of the first, the middle and the last class: 16 means each."""
    names = dataset.class_names
    found = []
    for name in (names[0], names[len(names) // 2], names[-1]):
        pixels = np.asarray(dataset.picture(name, "test", 3), float)
        means = pixels.reshape(BLOCKS, SIZE // BLOCKS, BLOCKS, SIZE // BLOCKS, 3).mean((1, 3, 4))
        found.append([round(float(mean), 1) for mean in means.ravel()])
    return found


if __name__ == "__main__":
    made = {name: block_means(dataset) for name, dataset in EVERY_DATASET.items()}
    lines = ",\n".join(f'  "{name}": {json.dumps(rows)}' for name, rows in made.items())
    GOLDEN.write_text(f'{{\n "version": {VERSION},\n "pictures": {{\n{lines}\n }}\n}}\n')
