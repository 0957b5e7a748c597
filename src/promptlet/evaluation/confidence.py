"""How far a probability can be believed: what is right among answers of so much confidence.

confidence (N,): the probability of the answer that was given, from 0 to 1. hits (N,) bool: whether it is
right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptlet.evaluation.intervals import wilson

BINS = 10
THRESHOLDS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Bin:
    """Answers with a confidence above ``over``, up to ``up_to``: how many, how confident on average, how many
    of them are right, with the interval of that; percent. The last three and ``confidence`` are None of none.
    """

    over: float
    up_to: float
    count: int
    confidence: float | None
    accuracy: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Answered:
    """Where only answers with a confidence of ``threshold`` (0 to 1) or more are given: how many these are,
    their share of all images, and how many are right, with the interval of that; percent, None of none."""

    threshold: float
    count: int
    share: float
    accuracy: float | None
    low: float | None
    high: float | None


def bin_of(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Which of so many bins of equal width each confidence lies in (N,); a bin holds its upper edge."""
    where: np.ndarray = np.clip(np.ceil(np.asarray(confidence) * bins).astype(int) - 1, 0, bins - 1)
    return where


def reliability(confidence: np.ndarray, hits: np.ndarray, bins: int = BINS) -> tuple[Bin, ...]:
    """The bins of a reliability diagram (Guo et al., arXiv 1706.04599, section 2), the empty ones too."""
    confidence, hits = np.asarray(confidence, float), np.asarray(hits, bool)
    where = bin_of(confidence, bins)
    found = []
    for i in range(bins):
        inside = where == i
        mean = 100.0 * float(confidence[inside].mean()) if inside.any() else None
        found.append(Bin(i / bins, (i + 1) / bins, int(inside.sum()), mean, *_right(hits[inside])))
    return tuple(found)


def at_thresholds(
    confidence: np.ndarray, hits: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[Answered, ...]:
    """What is answered, and how often rightly, where less confident answers are held back."""
    confidence, hits = np.asarray(confidence, float), np.asarray(hits, bool)
    found = []
    for threshold in thresholds:
        inside = confidence >= threshold
        share = 100.0 * float(inside.mean()) if len(hits) else 0.0
        found.append(Answered(threshold, int(inside.sum()), share, *_right(hits[inside])))
    return tuple(found)


def risk_coverage(confidence: np.ndarray, hits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The whole curve: thresholds (K,) from high to low, the share that is answered at each, and the accuracy
    among these, in percent; one point for each different confidence (El-Yaniv and Wiener, JMLR 11, 2010)."""
    confidence, hits = np.asarray(confidence, float), np.asarray(hits, bool)
    order = np.argsort(-confidence, kind="stable")
    sure = confidence[order]
    last = np.flatnonzero(np.append(sure[1:] != sure[:-1], True))[: len(sure)]
    answered = last + 1.0
    accuracy = 100.0 * np.cumsum(hits[order])[last] / answered
    return sure[last], 100.0 * answered / max(len(sure), 1), accuracy


def _right(hits: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Accuracy and its interval, in percent; three times None of nothing."""
    if not len(hits):
        return None, None, None
    return 100.0 * float(hits.mean()), *wilson(int(hits.sum()), len(hits))
