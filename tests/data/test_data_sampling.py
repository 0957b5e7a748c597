from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from data_toys import split_of
from hypothesis import given
from hypothesis import strategies as st

from promptlet.data import Item, Split, read_coop_split, read_feature_file, sample_shots, short_classes
from promptlet.errors import DataError, OptionError

COUNTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=8)


def dassl(parts: list[tuple[tuple[Item, ...], int]], seed: int) -> list[list[Item]]:
    """What Dassl does, with the global generator as there."""
    state = random.getstate()
    random.seed(seed)
    result = []
    for items, shots in parts:
        tracker: dict[int, list[Item]] = {}
        for item in items:
            tracker[item.label] = [*tracker.get(item.label, []), item]
        dataset: list[Item] = []
        for group in tracker.values():
            dataset.extend(random.sample(group, shots) if len(group) >= shots else group)
        result.append(dataset)
    random.setstate(state)
    return result


def check_against_dassl(split: Split, shots: int, seed: int) -> None:
    before = random.getstate()
    drawn = sample_shots(split, shots, seed, "coop")
    assert random.getstate() == before
    train, val = dassl([(split.train, shots), (split.val, min(shots, 4))], seed)
    assert (list(drawn.train), list(drawn.val)) == (train, val)
    assert drawn.test == split.test


@given(COUNTS, st.integers(1, 8), st.integers(0, 5), st.randoms(use_true_random=False))
def test_coop_draws_what_dassl_draws(
    counts: list[tuple[int, int, int]], shots: int, seed: int, shuffler: random.Random
) -> None:
    split = split_of(counts)
    items = list(split.train)
    shuffler.shuffle(items)
    if items:
        check_against_dassl(replace(split, train=tuple(items)), shots, seed)


@pytest.mark.realbed
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.slow
def test_coop_draws_what_dassl_draws_on_caltech101(realbed: Path, seed: int) -> None:
    split = read_coop_split(realbed / "data" / "caltech-101" / "split_zhou_Caltech101.json")
    for shots in (1, 16, 40):
        check_against_dassl(split, shots, seed)


def test_coop_golden_draw() -> None:
    drawn = sample_shots(split_of([(6, 2, 0)] * 2), 2, 1, "coop")
    assert [item.row for item in drawn.train] == [1, 4, 6, 8]


def test_promptlet_golden_draw() -> None:
    split = split_of([(6, 2, 0)] * 2, ["ant", "caf\u00e9"])
    assert [item.row for item in sample_shots(split, 3, 0).train] == [5, 2, 1, 6, 8, 10]


@pytest.mark.parametrize("sampler", ["promptlet", "coop"])
@given(counts=COUNTS, shots=st.integers(1, 8), seed=st.integers(0, 3))
def test_counts_and_repeatability(
    sampler: str, counts: list[tuple[int, int, int]], shots: int, seed: int
) -> None:
    split = split_of(counts)
    if not split.train:
        return
    drawn = sample_shots(split, shots, seed, sampler)
    assert drawn == sample_shots(split, shots, seed, sampler)
    assert drawn.test == split.test
    for part, limit in ((0, shots), (1, min(shots, 4))):
        items = (drawn.train, drawn.val)[part]
        assert len(set(items)) == len(items)
        assert set(items) <= set((split.train, split.val)[part])
        per_class = Counter(item.label for item in items)
        assert all(per_class[label] == min(limit, count[part]) for label, count in enumerate(counts))
    short = [split.class_names[label] for label, count in enumerate(counts) if count[0] < shots]
    assert list(short_classes(split, shots)) == short


@given(COUNTS, st.integers(1, 6), st.integers(0, 3), st.randoms(use_true_random=False))
def test_promptlet_draws_ignore_file_order_and_other_classes(
    counts: list[tuple[int, int, int]], shots: int, seed: int, shuffler: random.Random
) -> None:
    split = split_of(counts)
    if not split.train:
        return
    items = list(split.train)
    shuffler.shuffle(items)
    drawn = sample_shots(split, shots, seed)
    assert sample_shots(replace(split, train=tuple(items)), shots, seed).train == drawn.train
    more = split_of([*counts, (5, 5, 5)])
    kept = [item.path for item in sample_shots(more, shots, seed).train if item.label < len(counts)]
    assert kept == [item.path for item in drawn.train]
    fewer = {item.path for item in sample_shots(split, max(1, shots - 1), seed).train}
    assert fewer <= {item.path for item in drawn.train}


def test_promptlet_draws_differ_over_seeds_and_are_even() -> None:
    split = split_of([(10, 0, 0)])
    draws = Counter(item.row for seed in range(2000) for item in sample_shots(split, 2, seed).train)
    assert len(draws) == 10
    assert all(330 < count < 470 for count in draws.values())


@pytest.mark.realbed
def test_images_and_feature_file_give_the_same_draw(realbed: Path) -> None:
    images = read_coop_split(realbed / "data" / "caltech-101" / "split_zhou_Caltech101.json")
    features = read_feature_file(realbed / "features" / "caltech101.npz").split
    for sampler in ("promptlet", "coop"):
        names = [
            ["/".join(item.path.parts[-2:]) for item in sample_shots(split, 16, 3, sampler).train]
            for split in (images, features)
        ]
        assert names[0] == names[1]


def test_options_are_checked() -> None:
    split = split_of([(3, 3, 3)] * 2)
    with pytest.raises(OptionError, match="shots=0 is not allowed; give a whole number"):
        sample_shots(split, 0, 1)
    with pytest.raises(OptionError, match="shots=0 is not allowed"):
        short_classes(split, 0)
    with pytest.raises(OptionError, match=r"seed=None is not allowed; give a whole number"):
        sample_shots(split, 1, None)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"sampler='coup' is not known; allowed: promptlet, coop"):
        sample_shots(split, 1, 1, "coup")
    with pytest.raises(DataError, match="no training images to draw from"):
        sample_shots(split_of([(0, 1, 1)] * 2), 1, 1)
