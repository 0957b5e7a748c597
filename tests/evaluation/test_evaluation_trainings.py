"""How far trainings differ is found again from draws in which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from promptlet import rng
from promptlet.evaluation.trainings import overlap, spread
from promptlet.evaluation.weighted import weighted_accuracy, weights_of

CLASSES, FOLDS, EACH = 20, 5, 4


def drawn(draw: np.random.Generator, between: float) -> np.ndarray:
    """Hits (classes, folds, images) of trainings each of which is better or worse at each class by chance."""
    of_class = draw.uniform(0.6, 0.8, (CLASSES, 1))
    of_cell = of_class + draw.choice([-between, between], (CLASSES, FOLDS))
    return draw.random((CLASSES, FOLDS, EACH)) < of_cell[:, :, None]


TARGETS, FOLD = (one.reshape(-1) for one in np.indices((CLASSES, FOLDS, EACH))[:2])
EVEN = np.full(CLASSES, 1 / CLASSES)


@pytest.mark.parametrize("between", [0.0, 0.1, 0.2])
def test_the_spread_of_trainings_is_found(between: float) -> None:
    draw = rng.generator("test-trainings", 1)
    found = [spread(drawn(draw, between).reshape(-1), TARGETS, FOLD, EVEN) for _ in range(200)]
    assert np.mean(found) == pytest.approx(between**2 / CLASSES, abs=4e-4)
    if not between:
        assert 0.3 < np.mean(np.array(found) == 0) < 0.7  # else chance is taken for a difference


def test_the_interval_holds_the_accuracy_of_one_training_more() -> None:
    """Of a training that is one of those that were asked in all but its luck."""
    draw = rng.generator("test-trainings", 2)
    covered = {"with": 0, "without": 0}
    for _ in range(300):
        of_class = draw.uniform(0.6, 0.8, CLASSES)
        cells = of_class[:, None] + draw.choice([-0.25, 0.25], (CLASSES, FOLDS + 1))
        hits = (draw.random((CLASSES, FOLDS, EACH)) < cells[:, :-1, None]).reshape(-1)
        true = 100 * cells[:, -1].mean()
        weights = weights_of(TARGETS, EVEN)
        for name, further in (("with", spread(hits, TARGETS, FOLD, EVEN)), ("without", 0.0)):
            _, low, high = weighted_accuracy(hits, weights, further=further)
            covered[name] += low <= true <= high
    assert covered["without"] / 300 < 0.87 < 0.92 < covered["with"] / 300


def test_what_cannot_be_told_widens_nothing() -> None:
    hits = np.array([True, False] * 8)
    one_each = spread(hits, np.repeat(np.arange(4), 4), np.tile(np.arange(4), 4), np.full(4, 0.25))
    one_fold = spread(hits, np.repeat(np.arange(4), 4), np.zeros(16, int), np.full(4, 0.25))
    assert one_each == one_fold == 0.0
    assert spread(np.ones(16, bool), np.repeat([0, 1], 8), np.arange(16) % 4, np.array([0.5, 0.5])) == 0.0


def test_classes_count_by_their_shares() -> None:
    """One class alone differs from training to training: the larger it is, the more so does the accuracy."""
    hits = np.array([True] * 4 + [False] * 4 + [True] * 8)
    targets, folds = np.repeat([0, 1], 8), np.tile(np.repeat([0, 1], 4), 2)
    large, small = (spread(hits, targets, folds, np.array([own, 1 - own])) for own in (0.9, 0.5))
    assert large == pytest.approx(small * (0.9**2 + 0.1**2) / 0.5)
    assert spread(hits, targets, folds, np.array([0.9, 0.1, 0.0])) == large


def test_overlap_of_five_folds() -> None:
    assert overlap(5, 0.2) == pytest.approx(2.25) and overlap(1, 0.25) == pytest.approx(4 / 3)
