"""Numbers about predictions, against hand computation and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

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


def scored(seed: int, base: int = 40, new: int = 25, steps: int = 12) -> tuple[np.ndarray, ...]:
    """Detection scores with many ties, and hits."""
    draw = np.random.default_rng(seed)
    scores = (draw.integers(2, steps, base) / 4, draw.integers(0, steps - 2, new) / 4)
    return *scores, draw.random(base) < 0.7, draw.random(new) < 0.6


def counted(base: np.ndarray, new: np.ndarray, base_hits: np.ndarray, new_hits: np.ndarray) -> float:
    """OpenworldAUC by its definition, pair by pair."""
    pairs = [
        (b > n) + (b == n) / 2 if is_right and is_right_too else 0.0
        for b, is_right in zip(base, base_hits, strict=True)
        for n, is_right_too in zip(new, new_hits, strict=True)
    ]
    return 100.0 * sum(pairs) / len(pairs)


def with_the_wrong_ones_last(
    base: np.ndarray, new: np.ndarray, base_hits: np.ndarray, new_hits: np.ndarray
) -> float:
    """OpenworldAUC as the official code has it: an AUROC in which who is wrong loses every pair."""
    least, most = min(base.min(), new.min()) - 1, max(base.max(), new.max()) + 1
    scores = np.concatenate([np.where(base_hits, base, least), np.where(new_hits, new, most)])
    return 100.0 * float(roc_auc_score(np.repeat([1, 0], [len(base), len(new)]), scores))


@pytest.mark.parametrize("seed", range(5))
def test_openworld_auc_counts_pairs_and_is_the_official_area(seed: int) -> None:
    given = scored(seed)
    assert len(np.intersect1d(*given[:2])) > 3  # ties between the halves
    found = ev.openworld_auc(*given)
    assert 5 < found < 60 and found == pytest.approx(counted(*given))
    assert found == pytest.approx(with_the_wrong_ones_last(*given))


@pytest.mark.parametrize("hits", [(True, True), (True, False), (False, True), (False, False)])
def test_openworld_auc_of_halves_that_are_all_right_or_all_wrong(hits: tuple[bool, bool]) -> None:
    base, new, *_ = scored(0)
    given = (base, new, np.full(len(base), hits[0]), np.full(len(new), hits[1]))
    found = ev.openworld_auc(*given)
    assert found == pytest.approx(counted(*given)) == pytest.approx(with_the_wrong_ones_last(*given))
    assert (found > 0) is all(hits)


@pytest.mark.parametrize(
    ("base", "new", "share"), [(1.0, 0.0, 100.0), (0.5, 0.5, 50.0), (0.0, 1.0, 0.0), (-0.0, 0.0, 50.0)]
)
def test_openworld_auc_of_one_image_of_each_half(base: float, new: float, share: float) -> None:
    right, wrong = np.array([True]), np.array([False])
    one, other = np.array([base]), np.array([new])
    assert ev.openworld_auc(one, other, right, right) == share == ev.detection_auc(one, other)
    assert ev.openworld_auc(one, other, right, wrong) == ev.openworld_auc(one, other, wrong, right) == 0.0


def test_openworld_auc_is_at_most_what_its_parts_allow_and_does_not_see_the_scale() -> None:
    base, new, base_hits, new_hits = scored(1)
    found = ev.openworld_auc(base, new, base_hits, new_hits)
    assert found < 100 * base_hits.mean() * new_hits.mean() and found < ev.detection_auc(base, new)
    assert ev.openworld_auc(np.exp(base) - 7, np.exp(new) - 7, base_hits, new_hits) == found
    order = np.random.default_rng(0).permutation(len(base))
    assert ev.openworld_auc(base[order], new, base_hits[order], new_hits) == found


def test_detection_auc_equals_scikit_learns_with_ties() -> None:
    base, new, *_ = scored(2)
    expected = roc_auc_score(np.repeat([1, 0], [len(base), len(new)]), np.concatenate([base, new]))
    assert ev.detection_auc(base, new) == pytest.approx(100 * expected)
    assert ev.detection_auc(new, base) == pytest.approx(100 - 100 * expected)


def test_areas_of_nothing_are_nan() -> None:
    some, none = np.array([1.0]), np.array([])
    assert math.isnan(ev.detection_auc(some, none)) and math.isnan(ev.detection_auc(none, some))
    assert math.isnan(ev.openworld_auc(none, some, none, np.array([True])))


def test_harmonic_mean_gives_the_published_average_of_coop() -> None:
    assert round(ev.harmonic_mean(82.69, 63.22), 2) == 71.66
    assert ev.harmonic_mean(0.0, 0.0) == 0.0
    assert ev.harmonic_mean(50.0, 0.0) == 0.0


def test_mean_and_population_deviation() -> None:
    assert ev.mean([1.0, 2.0, 6.0]) == 3.0
    assert ev.deviation([1.0, 3.0]) == 1.0
    assert math.isnan(ev.mean([]))
    assert math.isnan(ev.deviation([]))
