from __future__ import annotations

import pytest
from data_toys import split_of
from hypothesis import given
from hypothesis import strategies as st

from promptlet.data import base_new, sample_shots, select_classes, together
from promptlet.errors import DataError, OptionError

COUNTS = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=2, max_size=12)


@given(COUNTS)
def test_halves_share_nothing_and_lose_no_class_of_train(counts: list[tuple[int, int, int]]) -> None:
    split = split_of(counts)
    present = [label for label, count in enumerate(counts) if count[0]]
    if len(present) < 2:
        with pytest.raises(DataError, match="base and new need at least 2"):
            base_new(split)
        return
    base, new = base_new(split)
    assert base.class_names + new.class_names == tuple(split.class_names[label] for label in present)
    assert len(base.class_names) - len(new.class_names) == len(present) % 2
    assert set(base.train).isdisjoint(new.train)
    for part in ("train", "val", "test"):
        kept = [item for item in getattr(split, part) if item.label in present]
        halves = getattr(base, part) + getattr(new, part)
        assert sorted(item.row for item in halves) == sorted(item.row for item in kept)
        for half in (base, new):
            for item in getattr(half, part):
                assert half.class_names[item.label] == item.class_name
                assert split.every_item[item.row].path == item.path


@pytest.mark.parametrize(
    ("classes", "base_count"), [(1000, 500), (37, 19), (47, 24), (397, 199), (101, 51), (10, 5)]
)
def test_the_sizes_of_coop(classes: int, base_count: int) -> None:
    base, new = base_new(split_of([(1, 0, 1)] * classes))
    assert (len(base.class_names), len(new.class_names)) == (base_count, classes - base_count)


def test_sampling_comes_before_the_cut() -> None:
    split = split_of([(30, 9, 3)] * 5)
    base, new = base_new(sample_shots(split, 4, 1, "coop"))
    drawn = sample_shots(split, 4, 1, "coop")
    assert [item.row for item in base.train + new.train] == [item.row for item in drawn.train]
    cut_first = sample_shots(base_new(split)[1], 4, 1, "coop")
    assert [item.row for item in new.train] != [item.row for item in cut_first.train]


def test_select_classes_numbers_in_the_order_given() -> None:
    chosen = select_classes(split_of([(1, 1, 1)] * 4), [3, 1])
    assert chosen.class_names == ("class 3", "class 1")
    assert [(item.label, item.class_name) for item in chosen.test] == [(1, "class 1"), (0, "class 3")]


@given(COUNTS.filter(lambda counts: sum(bool(count[0]) for count in counts) > 1))
@pytest.mark.slow
def test_halves_together_are_the_split_they_were_cut_from(counts: list[tuple[int, int, int]]) -> None:
    split = split_of(counts)
    base, new = base_new(split)
    whole = select_classes(split, [label for label, count in enumerate(counts) if count[0]])
    both = together(base, new)
    assert (both.name, both.class_names, both.rule) == (whole.name, whole.class_names, whole.rule)
    for part in ("train", "val", "test"):
        found, expected = getattr(both, part), getattr(whole, part)
        assert sorted(found, key=lambda item: item.row) == sorted(expected, key=lambda item: item.row)
        rows = [item.row for item in (*getattr(base, part), *getattr(new, part))]
        assert [item.row for item in found] == rows


@pytest.mark.parametrize("labels", [[], [4], [-1], [1, 1]])
def test_select_classes_refuses_other_labels(labels: list[int]) -> None:
    with pytest.raises(OptionError, match="give different labels from 0 to 3"):
        select_classes(split_of([(1, 1, 1)] * 4), labels)
