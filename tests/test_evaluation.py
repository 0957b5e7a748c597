"""Numbers about predictions, against hand computation and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score

from promptlet import evaluation as ev


def test_accuracy_by_hand() -> None:
    assert ev.accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])) == 75.0
    assert ev.accuracy([0, 1], [0, 2]) == 50.0  # type: ignore[arg-type]  # lists compare as one in Python
    assert math.isnan(ev.accuracy(np.array([]), np.array([])))


def test_macro_f1_equals_scikit_learns_over_the_classes_that_occur() -> None:
    draw = np.random.default_rng(0)
    labels, predicted = draw.integers(0, 5, 60), draw.integers(0, 7, 60)
    expected = f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
    assert ev.macro_f1(predicted, labels, 7) == pytest.approx(100 * expected)
    assert math.isnan(ev.macro_f1(np.array([]), np.array([]), 3))


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05], [0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    labels = np.array([0, 1, 1, 1])
    # ten bins: {0.95}: |.95 - 1|; {0.9}: |.9 - 0|; {0.6}: |.6 - 1|; {0.8}: |.8 - 1|; a quarter each
    expected = 100 * (0.05 + 0.9 + 0.4 + 0.2) / 4
    assert ev.calibration_error(probabilities, labels, bins=10) == pytest.approx(expected)


def test_calibration_bins_hold_their_upper_edge_and_average_inside() -> None:
    probabilities = np.array([[0.75, 0.25], [1.0, 0.0], [1.0, 0.0]])
    labels = np.array([1, 0, 1])
    # four bins: (0.5, 0.75] holds the first, (0.75, 1] the others with accuracy 1/2
    assert ev.calibration_error(probabilities, labels, bins=4) == pytest.approx(
        100 * (0.75 * 1 / 3 + 0.5 * 2 / 3)
    )


def test_calibration_of_sure_and_right_is_zero_and_of_nothing_is_nan() -> None:
    assert ev.calibration_error(np.eye(3), np.arange(3)) == 0.0
    assert math.isnan(ev.calibration_error(np.zeros((0, 3)), np.array([])))


def test_harmonic_mean_gives_the_published_average_of_coop() -> None:
    assert round(ev.harmonic_mean(82.69, 63.22), 2) == 71.66
    assert ev.harmonic_mean(0.0, 0.0) == 0.0
    assert ev.harmonic_mean(50.0, 0.0) == 0.0


def test_mean_and_population_deviation() -> None:
    assert ev.mean([1.0, 2.0, 6.0]) == 3.0
    assert ev.deviation([1.0, 3.0]) == 1.0
    assert math.isnan(ev.mean([]))
    assert math.isnan(ev.deviation([]))
