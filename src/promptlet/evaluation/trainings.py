"""What images alone do not tell of an accuracy found by several trainings: these overlap, and differ."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def overlap(trainings: int, asked: float) -> float:
    """How much larger the variance of an accuracy is for having been found by ``trainings``, each asked about
    the share ``asked`` of the images: what they were taught overlaps.

    1 + J n2 / n1 (Nadeau and Bengio, Inference for the generalization error, 2003, section 3: the corrected
    variance of J resamplings with n1 training and n2 test images, over the plain one).
    """
    return 1.0 + trainings * asked / (1.0 - asked)


def spread(hits: np.ndarray, targets: np.ndarray, folds: np.ndarray, shares: np.ndarray) -> float:
    """The variance of the accuracy (0 to 1) of one training about that of others on nearly the same images.

    A training does well or badly by class: it takes one for another, and so all images of a cell, one class
    in one fold, are right or wrong together more often than by chance. Between cells of a class their means
    vary by t + w / n, within a cell images vary by w; both are pooled over all classes, and t is what is left
    (the analysis of variance of one factor, with cells of unequal size: Searle, Casella and McCulloch,
    Variance Components, 1992, section 3.6). Classes are held for independent, so the accuracy of a training
    varies by the sum of shares^2 times t. 0.0 where nothing can be told, as of cells of one image each.

    hits (N,) of 0 to 1, how right each is; targets, folds (N,) int: class and fold of each; shares (C,) of
    the classes, of sum 1.
    """
    cells = [[hits[rows] for rows in own] for own in _cells(targets, folds)]
    right = [np.concatenate(own) for own in cells]
    count = sum(len(own) for own in cells)
    between = count - len(cells)
    within = len(hits) - count
    if between <= 0 or within <= 0:
        return 0.0
    inner = sum(len(cell) * cell.var() for own in cells for cell in own) / within
    outer = sum(len(rows) * rows.var() for rows in right) - inner * within
    size = len(hits) - sum(sum(len(cell) ** 2 for cell in own) / sum(map(len, own)) for own in cells)
    found = (outer - between * inner) / size
    own_shares = np.asarray(shares, float)[np.unique(targets)]
    return max(float(found), 0.0) * float(np.sum((own_shares / own_shares.sum()) ** 2))


def _cells(targets: np.ndarray, folds: np.ndarray) -> Iterator[list[np.ndarray]]:
    """For each class the rows of its images in each fold."""
    for target in np.unique(targets):
        own = np.flatnonzero(targets == target)
        yield [own[folds[own] == fold] for fold in np.unique(folds[own])]
