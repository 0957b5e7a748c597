"""Which images were taken for which class, by who was not taught them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptlet.evaluation.confusion import confused_pairs, confusion_matrix
from promptlet.own_images.estimating.out_of_fold import OutOfFold
from promptlet.own_images.material import Material


@dataclass(frozen=True)
class Taken:
    """``rows`` of class ``true`` that were taken for ``said``, the surest first; of ``of`` images."""

    true: str
    said: str
    of: int
    rows: tuple[int, ...]


def matrix_of(material: Material, answers: OutOfFold) -> np.ndarray:
    """How often each class (rows) was said to be each (columns): (C, C) int64, of images that were asked."""
    asked = answers.asked
    return confusion_matrix(material.targets[asked], answers.predicted[asked], len(material.class_names))


def mistakes_of(material: Material, answers: OutOfFold, most: int) -> tuple[Taken, ...]:
    """The pairs of classes that are confused most often, as `confused_pairs` orders them, each with its
    images."""
    names, said = material.class_names, answers.predicted
    surest = np.nan_to_num(answers.probabilities).max(axis=1)
    found = []
    for pair in confused_pairs(matrix_of(material, answers), names, most):
        own = (material.targets == names.index(pair.true)) & (said == names.index(pair.said))
        rows = np.flatnonzero(own)
        rows = rows[np.argsort(-surest[rows], kind="stable")]
        found.append(Taken(pair.true, pair.said, pair.of, tuple(rows.tolist())))
    return tuple(found)
