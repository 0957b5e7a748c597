"""Bins and thresholds of confidence, against a count one by one, and the calibration error from the bins."""

from __future__ import annotations

import numpy as np
import pytest

from promptlet.evaluation import (
    at_thresholds,
    calibration_error,
    reliability,
    risk_coverage,
    wilson,
)


def drawn(count: int = 200, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return draw.dirichlet(np.ones(classes) / 2, count), draw.integers(0, classes, count)


def test_the_calibration_error_is_the_gap_of_the_bins_by_their_shares() -> None:
    probabilities, labels = drawn()
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = reliability(confidence, hits, 15)
    assert sum(one.count for one in bins) == 200 and any(one.count == 0 for one in bins)
    gaps = [
        one.count * abs(one.confidence - one.accuracy)
        for one in bins
        if one.confidence is not None and one.accuracy is not None
    ]
    assert sum(gaps) / 200 == pytest.approx(calibration_error(probabilities, labels, 15))


def test_a_bin_holds_its_upper_edge_and_says_how_sure_its_accuracy_is() -> None:
    lower, upper = reliability(np.array([0.5, 0.5, 0.75, 1.0]), np.array([True, False, True, True]), 2)
    assert (lower.over, lower.up_to, lower.count, lower.confidence, lower.accuracy) == (0, 0.5, 2, 50, 50)
    assert (lower.low, lower.high) == wilson(1, 2)
    assert (upper.count, upper.confidence, upper.accuracy) == (2, 87.5, 100)
    assert reliability(np.array([]), np.array([]), 1)[0].accuracy is None


def test_thresholds_hold_back_what_is_less_confident() -> None:
    confidence, hits = np.array([0.9, 0.5, 0.7, 0.5]), np.array([True, False, True, True])
    all_, most, half, none = at_thresholds(confidence, hits, (0.0, 0.5, 0.7, 0.95))
    assert (all_.count, all_.share, all_.accuracy) == (most.count, most.share, most.accuracy) == (4, 100, 75)
    assert (half.count, half.share, half.accuracy, half.low) == (2, 50, 100, wilson(2, 2)[0])
    assert (none.count, none.share, none.accuracy, none.high) == (0, 0, None, None)


def test_the_curve_has_a_point_for_each_threshold_that_changes_something() -> None:
    probabilities, labels = drawn()
    confidence = probabilities.max(axis=1).round(2)
    hits = probabilities.argmax(axis=1) == labels
    thresholds, shares, accuracies = risk_coverage(confidence, hits)
    assert thresholds.tolist() == sorted(set(confidence.tolist()), reverse=True)
    for point, told in zip(
        zip(shares, accuracies, strict=True), at_thresholds(confidence, hits, thresholds), strict=True
    ):
        assert point == pytest.approx((told.share, told.accuracy))
    assert shares[-1] == 100 and accuracies[-1] == pytest.approx(100 * hits.mean())
    assert [len(one) for one in risk_coverage(confidence[:0], hits[:0])] == [0, 0, 0]
