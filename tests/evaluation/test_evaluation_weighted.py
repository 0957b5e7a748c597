"""Weighted accuracies are the plain ones where all count alike, and those of the whole where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from promptlet import rng
from promptlet.evaluation.intervals import wilson
from promptlet.evaluation.weighted import weighted_accuracy, weighted_difference, weights_of


def test_alike_is_the_plain_accuracy() -> None:
    hits, targets = np.array([True] * 30 + [False] * 10), np.arange(40) % 4
    weights = weights_of(targets, np.full(4, 0.25))
    assert weights == pytest.approx(1 / 40)
    assert weighted_accuracy(hits, weights) == pytest.approx((75.0, *wilson(30, 40)))
    assert weighted_accuracy(hits, weights, copies=2)[1:] == pytest.approx(wilson(15, 20))
    as_much_again = 0.75 * 0.25 / 40
    assert weighted_accuracy(hits, weights, further=as_much_again)[1:] == pytest.approx(wilson(15, 20))


def test_classes_count_as_often_as_they_occur() -> None:
    """8 of each were drawn of classes of which one is nine times as large."""
    targets = np.repeat([0, 1], 8)
    hits = np.array([True] * 8 + [True] * 4 + [False] * 4)
    accuracy, low, high = weighted_accuracy(hits, weights_of(targets, np.array([0.9, 0.1])))
    assert accuracy == pytest.approx(90 + 5) and high - low > wilson(15, 16)[1] - wilson(15, 16)[0]
    assert weights_of(np.array([1, 1]), np.array([0.9, 0.1])) == pytest.approx(0.5)  # a class never asked


def test_the_paired_difference_covers_as_often_as_it_says() -> None:
    draw = rng.generator("test-weighted", 1)
    weights = weights_of(np.repeat([0, 1], (150, 50)), np.array([0.4, 0.6]))
    chances = np.repeat([0.8, 0.5], (150, 50))
    covered = 0
    for _ in range(400):
        first, other = draw.random(200) < chances, draw.random(200) < chances - 0.1
        found, low, high = weighted_difference(first, other, weights)
        assert low < found < high
        covered += low <= 10.0 <= high
    assert 0.92 <= covered / 400 <= 0.98
