"""By images: one or four of a class, as they are and less the mean of the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.search.beds import Bed, average_precision, unit
from promptlet import rng

Row = dict[str, Any]
COUNTS = (1, 4)


def rows(bed: Bed, progress: Callable[[str], None]) -> Iterator[Row]:
    """Validation images are asked for among test images."""
    progress(f"{bed.name}: images")
    x, y = bed.test.x, bed.test.y
    mean = x.mean(0)
    centred = unit(x - mean)
    found: dict[tuple[str, int], list[float]] = {}
    for label in range(len(bed.names)):
        own = np.flatnonzero(bed.val.y == label)
        if not (y == label).any() or len(own) < max(COUNTS):
            continue
        own = own[rng.generator(f"search-likes/{bed.name}/{label}", 0).permutation(len(own))]
        for count in COUNTS:
            asked = bed.val.x[own[:count]]
            for form, scores in _forms(x, centred, mean, asked).items():
                found.setdefault((form, count), []).append(average_precision(scores, y == label))
    for (form, count), values in found.items():
        who = {"table": "images", "bed": bed.name, "part": "test", "images": count, "form": form}
        yield {**who, "queries": len(values), "average_precision": np.mean(values)}


def _forms(x: np.ndarray, centred: np.ndarray, mean: np.ndarray, asked: np.ndarray) -> dict[str, np.ndarray]:
    middle = unit(asked.mean(0))
    return {
        "cosine with their mean": x @ middle,
        "the largest cosine": (x @ asked.T).max(1),
        "taken: less the folder's mean": x @ (asked - mean).mean(0),
        "the same of the images of the folder too": centred @ unit(unit(asked - mean).mean(0)),
    }
