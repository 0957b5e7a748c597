"""Of which classes more photos would say more, and about how many: a rule of our own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NARROW = 20.0
"""Points between the ends of an interval that is sure enough."""
LEAST = 5
"""Photos of a class, below which folds say next to nothing of it."""
MOST, SHOWN = 20, 5
"""Photos of a class that are asked for at once, and classes that are told."""
WORSE = 10.0
"""Points by which a class is found less often than all are, from which on more of it are asked for."""


@dataclass(frozen=True)
class MorePhotos:
    """About ``count`` more photos of a class."""

    class_name: str
    count: int


def photos_wanted(
    class_names: Sequence[str],
    counts: Sequence[int],
    matrix: np.ndarray | None = None,
    low: float | None = None,
    high: float | None = None,
) -> tuple[MorePhotos, ...]:
    """What to add, the most needed first; nothing where all is sure.

    counts: images of each class. matrix (C, C): of answers about images that were not taught; low, high: the
    interval of their accuracy, in percent; None where there is none. A class that has too few is to have its
    even part of what makes the interval `NARROW`, which goes by the square; one that is confused more than
    others is to have twice as many as it has.
    """
    sizes = np.asarray(counts)
    aims = np.full(len(sizes), LEAST)
    found = np.full(len(sizes), 100.0)
    if matrix is not None and matrix.sum():
        hits, asked = int(matrix.trace()), int(matrix.sum())
        wide = 0.0 if low is None or high is None else (high - low) / NARROW
        if wide > 1:
            aims = np.full(len(sizes), max(LEAST, math.ceil(asked * wide**2 / len(sizes))))
        totals = matrix.sum(axis=1)
        found = 100.0 * matrix.diagonal() / np.maximum(totals, 1)
        wrong = totals - matrix.diagonal()
        is_worse = (found <= 100.0 * hits / asked - WORSE) & (wrong > 1)
        aims = np.where(is_worse, np.maximum(aims, 2 * sizes), aims)
    missing = np.minimum(aims - sizes, MOST)
    order = sorted(np.flatnonzero(missing > 0).tolist(), key=lambda i: (found[i], sizes[i], i))
    return tuple(MorePhotos(class_names[i], _about(int(missing[i]))) for i in order[:SHOWN])


def _about(count: int) -> int:
    """A round number, from ten on."""
    return count if count < 10 else 5 * math.ceil(count / 5)
