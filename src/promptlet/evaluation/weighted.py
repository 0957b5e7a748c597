"""Accuracies of images that do not count alike: where few of many images of a class were asked about."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from promptlet.evaluation.intervals import wilson


def weights_of(targets: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The weight (N,) of each image, which sum to 1, so that its class counts as ``shares`` (C,) say.

    targets (N,) int. Classes that do not occur count for nothing, and the others for more.
    """
    counts = np.bincount(targets, minlength=len(shares))
    weights = (np.asarray(shares, float) / np.maximum(counts, 1))[targets]
    return np.asarray(weights / weights.sum())


def weighted_accuracy(
    hits: np.ndarray, weights: np.ndarray, copies: float = 1.0, further: float = 0.0
) -> tuple[float, float, float]:
    """Accuracy, and the ends of its interval of 95 %, in percent. hits (N,) bool; weights (N,), of sum 1.

    Wilson's interval over the effective number of images, 1 / sum(weights^2) (Kish, Survey Sampling, 1965,
    section 11.7). copies: how many images count as one, such as those of one photo, which are no further
    evidence; times `overlap` where trainings were many. further: variance of the accuracy (0 to 1) that the
    images do not tell, such as the `spread` of trainings; it counts as fewer images.
    """
    share = min(float(np.sum(weights * hits)), 1.0)
    effective = 1.0 / float(np.sum(weights**2)) / copies
    variance = share * (1.0 - share)
    if variance > 0:
        effective = variance / (variance / effective + further)
    return 100.0 * share, *wilson(share * effective, effective)


def weighted_difference(
    hits: np.ndarray, other: np.ndarray, weights: np.ndarray, copies: float = 1.0, level: float = 0.95
) -> tuple[float, float, float]:
    """Accuracy less another's on the same images, and the ends of its paired interval, in percentage points.

    By the normal approximation to the weighted mean of the differences of each image. copies: as in
    `weighted_accuracy`.
    """
    differences = np.asarray(hits, float) - np.asarray(other, float)
    mean = float(np.sum(weights * differences))
    error = math.sqrt(copies * float(np.sum((weights * (differences - mean)) ** 2)))
    reach = NormalDist().inv_cdf(0.5 + level / 2) * error
    return 100.0 * mean, 100.0 * (mean - reach), 100.0 * (mean + reach)
