"""Scores of each class, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from promptlet.evaluation import class_scores, confusion_matrix, macro_f1, mean, wilson


def test_they_are_scikit_learns() -> None:
    draw = np.random.default_rng(3)
    labels, predicted = draw.integers(0, 5, 80), draw.integers(0, 4, 80)  # the last is never said
    found = class_scores(confusion_matrix(labels, predicted, 6), "abcdef")
    expected = precision_recall_fscore_support(labels, predicted, labels=range(6), zero_division=0)
    for one, precision, recall, f1, count in zip(found, *expected, strict=True):
        assert one.count == count
        assert (one.precision or 0, one.recall or 0, one.f1 or 0) == pytest.approx(
            (100 * precision, 100 * recall, 100 * f1)
        )
    never_said, never_there = found[4], found[5]
    assert (never_said.precision, never_said.recall, never_said.f1) == (None, 0, 0)
    assert (never_there.precision, never_there.recall, never_there.f1) == (None, None, None)
    assert (found[0].recall_low, found[0].recall_high) == wilson(found[0].hits, found[0].count)
    assert (found[0].precision_low, found[0].precision_high) == wilson(found[0].hits, found[0].said)
    assert mean([one.f1 for one in found if one.f1 is not None]) == pytest.approx(
        macro_f1(predicted, labels, 6)
    )
