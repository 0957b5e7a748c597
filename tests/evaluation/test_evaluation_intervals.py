"""Intervals of shares and of differences, against their defining equations, published values and draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from promptlet.evaluation import paired_difference, wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (81, 263), (15, 148), (1, 29)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_scipys(hits: int, n: int, level: float) -> None:
    expected = binomtest(hits, n).proportion_ci(level, "wilson")
    assert wilson(hits, n, level) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_wilson_of_none_says_nothing_and_its_ends_are_reached() -> None:
    assert wilson(0, 0) == (0.0, 100.0)
    assert all((wilson(0, n)[0], wilson(n, n)[1]) == (0.0, 100.0) for n in range(1, 200))
    assert wilson(np.int64(3), np.int64(10)) == wilson(3, 10)


def hits(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, only_a, only_b, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [  # Newcombe 1998, table II, method 10, of its contrived examples with 50 pairs
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((36, 14, 0, 0), 0.1528, 0.4167),
    ],
)
def test_paired_difference_gives_published_values(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    assert paired_difference(*hits(*counts)) == pytest.approx((100 * low, 100 * high), abs=0.006)


@pytest.mark.parametrize("seed", range(3))
def test_paired_difference_is_close_to_a_bootstrap_of_many_images(seed: int) -> None:
    draw = np.random.default_rng(seed)
    hard = draw.random(800)  # images that are hard for both
    a, b = hard + draw.normal(0, 0.2, 800) < 0.8, hard + draw.normal(0, 0.2, 800) < 0.75
    again = draw.integers(0, 800, (4000, 800))
    expected = np.quantile(100 * (a[again].mean(axis=1) - b[again].mean(axis=1)), [0.025, 0.975])
    assert paired_difference(a, b) == pytest.approx(tuple(expected), abs=0.35)


def test_paired_difference_of_independent_hits_is_wilsons_two_added() -> None:
    a, b = hits(6, 3, 6, 3)  # a right on 9 of 18, b on 12 of 18: as often together as by chance
    (low_a, high_a), (low_b, high_b) = wilson(9, 18), wilson(12, 18)
    expected = 50 - 200 / 3
    low = expected - math.hypot(50 - low_a, high_b - 200 / 3)
    high = expected + math.hypot(high_a - 50, 200 / 3 - low_b)
    assert paired_difference(a, b) == pytest.approx((low, high))


def test_paired_difference_turns_around_with_its_sides_and_narrows_with_agreement() -> None:
    a, b = hits(30, 6, 3, 11)
    low, high = paired_difference(a, b)
    assert paired_difference(b, a) == pytest.approx((-high, -low))
    order = np.random.default_rng(0).permutation(len(b))
    assert np.subtract(*paired_difference(a, b[order])[::-1]) > high - low
    assert paired_difference(a[:0], b[:0]) == (-100.0, 100.0)
    assert paired_difference(a, ~a)[1] <= 100.0


@pytest.mark.parametrize("n", [20, 60])
def test_paired_difference_covers_the_truth_as_often_as_it_says(n: int) -> None:
    draw = np.random.default_rng(n)
    chances = np.array([0.6, 0.2, 0.08, 0.12])
    truth = 100 * (chances[1] - chances[2])
    covered = []
    for counts in draw.multinomial(n, chances, 1000):
        low, high = paired_difference(*hits(*map(int, counts)))
        covered.append(low <= truth <= high)
    assert 0.93 < np.mean(covered) < 0.985


def test_other_levels_widen() -> None:
    a, b = hits(30, 6, 3, 11)
    spans = [np.subtract(*paired_difference(a, b, level)[::-1]) for level in (0.8, 0.95, 0.99)]
    assert spans == sorted(spans)
    half = np.subtract(*wilson(500, 1000, 0.9)[::-1]) / 2
    assert half == pytest.approx(100 * norm.ppf(0.95) * math.sqrt(0.25 / 1000), rel=0.01)
