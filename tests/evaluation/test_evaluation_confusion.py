"""The confusion matrix against scikit-learn's, and the pairs against a count by hand."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import confusion_matrix as expected_matrix

from promptlet.evaluation import Confused, confused_pairs, confusion_matrix


def test_confusion_matrix_is_scikit_learns() -> None:
    draw = np.random.default_rng(0)
    labels, predicted = draw.integers(0, 6, 100), draw.integers(0, 7, 100)
    found = confusion_matrix(labels, predicted, 8)
    assert (
        found.dtype == np.int64
        and found.tolist() == expected_matrix(labels, predicted, labels=range(8)).tolist()
    )
    assert confusion_matrix(labels[:0], predicted[:0], 3).tolist() == [[0] * 3] * 3


def test_confused_pairs_are_the_most_frequent_mistakes_of_small_classes_first() -> None:
    matrix = np.array([[5, 2, 0], [2, 1, 3], [0, 0, 4]])
    every = (
        Confused("b", "c", 3, 6),
        Confused("b", "a", 2, 6),  # as frequent as the next, and its class is smaller
        Confused("a", "b", 2, 7),
    )
    assert confused_pairs(matrix, "abc", 10) == every
    assert confused_pairs(matrix, "abc", 1) == every[:1]
    assert confused_pairs(np.eye(3, dtype=int), "abc", 5) == ()
    assert matrix[0, 0] == 5  # left as it was
