"""How well each class is found, and how far its name can be believed where it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptlet.evaluation.intervals import wilson


@dataclass(frozen=True)
class ClassScores:
    """One class, in percent. ``count`` images are of it, of ``said`` images its name was said, ``hits`` both.

    recall: the share of its images that were found. precision: of those said to be of it, the share that are.
    f1: their harmonic mean. Each share with its interval of 95 % (Wilson); None where nothing can be counted.
    """

    name: str
    count: int
    said: int
    hits: int
    precision: float | None
    precision_low: float | None
    precision_high: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    f1: float | None


def class_scores(matrix: np.ndarray, class_names: Sequence[str]) -> tuple[ClassScores, ...]:
    """The scores of each class, in the order of ``class_names``, from a confusion matrix (C, C)."""
    counts, said, hits = (one.tolist() for one in (matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)))
    return tuple(
        ClassScores(name, of, told, right, *_share(right, told), *_share(right, of), _f1(right, of, told))
        for name, of, told, right in zip(class_names, counts, said, hits, strict=True)
    )


def _share(hits: int, of: int) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if of == 0 else (100.0 * hits / of, *wilson(hits, of))


def _f1(hits: int, of: int, said: int) -> float | None:
    """None of a class without images, as `macro_f1` leaves it out."""
    return None if of == 0 else 200.0 * hits / (of + said)
