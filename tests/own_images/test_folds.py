"""Folds: every image asked once by who was not taught it, copies together, every class taught."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlet.errors import OptionError
from promptlet.own_images.estimating.folds import ALWAYS_TAUGHT, make_folds


def test_without_copies_classes_and_folds_are_even() -> None:
    targets = np.repeat(np.arange(3), (10, 7, 5))
    folds = make_folds(targets, np.arange(22), 5)
    sizes = np.bincount(folds, minlength=5)
    assert sizes.max() - sizes.min() <= 1
    for target in range(3):
        counts = np.bincount(folds[targets == target], minlength=5)
        assert counts.max() - counts.min() <= 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_the_copies(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 30))
    whole = st.integers(0, 9)
    targets = np.array(data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    groups = np.array(data.draw(st.lists(whole, min_size=count, max_size=count)))
    folds = make_folds(targets, groups, data.draw(st.integers(2, 6)), data.draw(st.integers(0, 9)))
    for group in set(groups.tolist()):
        assert len(set(folds[groups == group].tolist())) == 1
    for fold in set(folds.tolist()) - {ALWAYS_TAUGHT}:
        assert set(targets[folds != fold].tolist()) == set(targets.tolist())


def test_the_only_photo_of_a_class_is_always_taught() -> None:
    targets, groups = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 3, 4, 5, 5])
    assert (make_folds(targets, groups, 3) == ALWAYS_TAUGHT).tolist() == [*[False] * 5, True, True]


def test_other_seeds_draw_others_and_the_same_the_same() -> None:
    targets = np.repeat(np.arange(4), 10)
    draws = [make_folds(targets, np.arange(40), 5, seed).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("count", [1, 0, -3, 2.5, True])
def test_fewer_than_two_folds_are_refused(count: object) -> None:
    with pytest.raises(OptionError, match="folds"):
        make_folds(np.array([0, 1]), np.arange(2), count)  # type: ignore[arg-type]
