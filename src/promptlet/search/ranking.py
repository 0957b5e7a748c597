"""Scores of all images of an index, block by block, and the best of them."""

from __future__ import annotations

import numpy as np
import torch

from promptlet.errors import DataError
from promptlet.search.file import BLOCK
from promptlet.search.question import Question

MOST_BYTES = 1 << 26
"""Of the products of a block: with many others, blocks are smaller."""


def all_scores(features: np.ndarray, question: Question) -> np.ndarray:
    """Scores (N,) float32 of features (N, D) float16 of length 1, exact, with room for one block of them.

    Raises DataError where one is no number: of a damaged index.
    """
    count, matrix = len(features), question.matrix
    rows = max(1, min(BLOCK, count, MOST_BYTES // (4 * matrix.shape[1])))
    held = torch.empty(rows, features.shape[1], dtype=torch.float32, device="cpu")
    found = np.empty(count, np.float32)
    for start in range(0, count, rows):
        block = features[start : start + rows]
        # ten times as quick as `astype`, which takes new memory each time
        held[: len(block)].copy_(torch.from_numpy(block))
        found[start : start + len(block)] = question.scores(held.numpy()[: len(block)] @ matrix)
    if not np.isfinite(found).all():
        raise DataError("features of the index are no numbers: it is damaged; remove it, and it is made anew")
    return found


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """The rows of the ``count`` highest scores, highest first; of equal ones the first rows."""
    count = min(count, len(scores))
    if count < 1:
        return np.zeros(0, np.int64)
    if count < len(scores):
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        rows = np.flatnonzero(scores >= least)
    else:
        rows = np.arange(len(scores))
    return rows[np.argsort(-scores[rows], kind="stable")][:count]


def mean_of(features: np.ndarray) -> np.ndarray:
    """The mean (D,) float32 of features (N, D), or of evenly drawn ones where there are many."""
    rows = np.unique(np.linspace(0, max(len(features) - 1, 0), min(BLOCK, len(features))).astype(np.int64))
    if not len(rows):
        return np.zeros(features.shape[1], np.float32)
    return np.asarray(np.asarray(features[rows], np.float32).mean(axis=0, dtype=np.float64), np.float32)
