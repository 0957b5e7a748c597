"""Folds: each image is asked about once, by who was not taught it; copies of a photo stay together."""

from __future__ import annotations

import numpy as np

from promptlet import rng
from promptlet.numbers import check_number
from promptlet.own_images.duplicates import members_of

ALWAYS_TAUGHT = -1
"""In the place of a fold: an image that is never asked about, since its class would be left with none."""


def make_folds(targets: np.ndarray, groups: np.ndarray, count: int, seed: int = 1) -> np.ndarray:
    """The fold (N,) of each image, 0 to ``count`` - 1, or `ALWAYS_TAUGHT`.

    targets (N,) int: classes; groups (N,) int: images of one photo have one number, and stand in one fold. As
    far as that allows, each class is spread evenly, and folds are of equal size; no fold holds all images of
    a class. Raises OptionError for fewer than 2 folds.
    """
    check_number("folds", count)
    targets, groups = np.asarray(targets), np.asarray(groups)
    folds = np.full(len(targets), ALWAYS_TAUGHT)
    size = np.zeros(count, int)
    of_class = np.zeros((count, int(targets.max(initial=-1)) + 1), int)
    for rows in _in_turn(targets, groups, seed):
        target = targets[rows[0]]
        fold = int(np.lexsort((size, of_class[:, target]))[0])
        folds[rows] = fold
        size[fold] += len(rows)
        np.add.at(of_class[fold], targets[rows], 1)
    return _without_lost_classes(targets, groups, folds)


def _in_turn(targets: np.ndarray, groups: np.ndarray, seed: int) -> list[np.ndarray]:
    """The rows of each group, class after class: larger groups first, others in an order of chance."""
    members = members_of(groups)
    by_chance = rng.generator("folds", seed).permutation(len(members))
    return [members[i] for i in sorted(by_chance, key=lambda i: (targets[members[i][0]], -len(members[i])))]


def _without_lost_classes(targets: np.ndarray, groups: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Folds in which every class is taught: groups with images of one that is not are always taught."""
    while True:
        lost = [
            target
            for target in np.unique(targets)
            if len(found := np.unique(folds[targets == target])) == 1 and found[0] != ALWAYS_TAUGHT
        ]
        if not lost:
            return folds
        with_lost = np.unique(groups[np.isin(targets, lost)])
        folds = np.where(np.isin(groups, with_lost), ALWAYS_TAUGHT, folds)
