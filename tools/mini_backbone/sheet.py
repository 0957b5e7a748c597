"""A picture of pictures: one row per data set, its classes spread evenly.

python -m tools.mini_backbone.sheet mini,mini-shifts docs/images/mini-world.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from promptlet.data.load import expand_names
from promptlet.mini.datasets import EVERY_DATASET, MiniDataset
from promptlet.mini.pen import SIZE

COLUMNS = 18
STEP = SIZE + 2


def sheet(datasets: list[MiniDataset]) -> Image.Image:
    """Test pictures; where there are fewer classes than columns, some are shown twice."""
    whole = Image.new("RGB", (COLUMNS * STEP, len(datasets) * STEP), (255, 255, 255))
    for y, dataset in enumerate(datasets):
        names = dataset.class_names
        for x in range(COLUMNS):
            image = dataset.picture(names[x * len(names) // COLUMNS], "test", x)
            whole.paste(image, (x * STEP, y * STEP))
    return whole


if __name__ == "__main__":
    chosen = [EVERY_DATASET[name] for name in expand_names(sys.argv[1].split(","))]
    sheet(chosen).save(Path(sys.argv[2]), quality=90)
