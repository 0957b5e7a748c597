"""The accuracy of out-of-fold answers and its interval: one rule for estimates and comparisons."""

from __future__ import annotations

import numpy as np

from promptlet.evaluation.trainings import spread
from promptlet.evaluation.weighted import weighted_accuracy, weights_of
from promptlet.own_images.estimating.out_of_fold import OutOfFold
from promptlet.own_images.material import Material


def accuracy_of(
    answers: OutOfFold, material: Material, asked: np.ndarray | None = None, wider: float = 1.0
) -> tuple[float, float, float]:
    """Accuracy on other images, and the ends of its interval of 95 %, in percent. asked (N,) bool: the images
    that count, of those that were asked about; None for all. wider: times the variance.

    Answers of several trainings stand for the prompt that is made in the end, one training more, which does
    better or worse than others by chance: so their overlap and their spread widen the interval.
    """
    asked = answers.asked if asked is None else asked
    targets = material.targets[asked]
    hits = answers.predicted[asked] == targets
    of_one = 0.0
    if answers.trainings:
        photos, right = _by_photo(hits, targets, material.groups[asked])
        of_one = spread(right, targets[photos], answers.folds[asked][photos], material.shares)
    copies = copies_among(material, asked) * answers.overlap * wider
    return weighted_accuracy(hits, weights_of(targets, material.shares), copies, of_one)


def copies_among(material: Material, asked: np.ndarray) -> float:
    """How many of the images (N,) bool count as one: those of one photo are no further evidence."""
    return float(asked.sum()) / len(np.unique(material.groups[asked]))


def _by_photo(hits: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each photo in a class, and how often it was right: its copies are right together."""
    keys = groups * (targets.max(initial=0) + 1) + targets
    _, first, own = np.unique(keys, return_index=True, return_inverse=True)
    return first, np.bincount(own, weights=hits) / np.bincount(own)
