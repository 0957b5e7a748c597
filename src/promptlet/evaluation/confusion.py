"""What is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Confused:
    """Of ``of`` images of class ``true``, ``count`` were said to be ``said``."""

    true: str
    said: str
    count: int
    of: int


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each class (rows) was said to be each (columns): (C, C) int64. labels, predicted (N,) int."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (np.asarray(labels), np.asarray(predicted)), 1)
    return matrix


def confused_pairs(matrix: np.ndarray, class_names: Sequence[str], most: int) -> tuple[Confused, ...]:
    """The pairs that are confused most often, at most so many; those of a larger share of their class first
    where counts are equal."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=np.int64))
    totals = matrix.sum(axis=1)
    pairs = [(int(i), int(j)) for i, j in zip(*np.nonzero(wrong), strict=True)]
    pairs.sort(key=lambda at: (-wrong[at], -wrong[at] / totals[at[0]], at))
    return tuple(
        Confused(class_names[i], class_names[j], int(wrong[i, j]), int(totals[i])) for i, j in pairs[:most]
    )
