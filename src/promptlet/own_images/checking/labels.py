"""Labels that the other images contradict (confident learning: Northcutt et al. 2021, arXiv 1911.00068), and
names that tell a backbone little."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptlet.own_images.checking.result import DOUBTFUL, UNKNOWN_NAME, Finding, Photo

LESS = 0.15
"""The probability of the given label, as a part of that of the likeliest class, below which it is doubted. Of
5 labels that were changed among 250 to 490 images it finds 2 to 5 (benchmarks/results/check.json)."""
LITTLE, FEWEST = 0.6, 5
"""Chance that an image of a class fits its name better than one of another class (0.5: the name says
nothing), and images of a class below which it is not told."""


def find_doubtful(
    photos: Sequence[Photo], targets: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> list[Finding]:
    """Images whose label the others contradict, the surest first.

    probabilities (N, C): of a method that was not taught the image; rows of NaN were not asked.
    """
    rows = np.flatnonzero(~np.isnan(probabilities[:, 0]))
    known, own = probabilities[rows], targets[rows]
    given, said = known[np.arange(len(rows)), own], known.argmax(1)
    best = known.max(1)
    share = given / np.maximum(best, 1e-12)
    order = sorted(np.flatnonzero(share < LESS), key=lambda i: (share[i], i))
    return [_doubtful(photos[rows[i]], class_names[said[i]], float(given[i]), float(best[i])) for i in order]


def _doubtful(photo: Photo, said: str, given: float, best: float) -> Finding:
    text = (
        f"{photo.name}: labelled {photo.class_name} ({100 * given:.0f} %), the other images say {said} "
        f"({100 * best:.0f} %)"
    )
    return Finding(DOUBTFUL, text, (photo,), (photo.class_name, said), said=said, score=given / best)


def find_unknown_names(
    class_names: Sequence[str], targets: np.ndarray, scores: np.ndarray
) -> tuple[list[Finding], list[str]]:
    """Names that do not tell their images from others, and those that surely do.

    scores (N, C): of each image for each name by itself (zero-shot).
    """
    found, known = [], []
    for c, name in enumerate(class_names):
        own, rest = scores[targets == c, c], scores[targets != c, c]
        if len(own) < FEWEST or not len(rest):
            continue
        better = rank_share(own, rest)
        if better < LITTLE:
            text = (
                f"{name}: to this backbone its images fit the name no better than others do "
                f"({100 * better:.0f} %, 50 % is chance); try another word"
            )
            found.append(Finding(UNKNOWN_NAME, text, (), (name,)))
        elif better > (1 + LITTLE) / 2:
            known.append(name)
    return found, known


def rank_share(own: np.ndarray, rest: np.ndarray) -> float:
    """The chance that one of ``own`` is above one of ``rest``; equal ones count half (AUROC)."""
    ordered = np.sort(rest)
    below = np.searchsorted(ordered, own, "left") + np.searchsorted(ordered, own, "right")
    return float(below.mean() / (2 * len(rest)))
