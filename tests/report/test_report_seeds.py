"""How many seeds gave results of their own, and what ± and intervals over a few of them mean."""

from __future__ import annotations

import math
from typing import Any

import pytest

from promptlet.report import paired_differences, render, summarise
from promptlet.report.statistics.seeds import reach, within_spread


def rows(book: Any) -> dict[tuple[str, str], tuple[int, int | None]]:
    found = summarise(book.store).rows
    return {(row["dataset"], row["method"]): (row["effective_seeds"], row["draws"]) for row in found}


def test_seeds_that_repeat_each_other_are_counted_once(book: Any) -> None:
    for seed, accuracy in ((1, 80.0), (2, 80.0), (3, 81.0)):
        book.write("coop", seed, accuracy)
        book.write("zero_shot", seed, 60.0)
        book.write("rlp", seed, 80.0, more={"ece": 4.0 + seed})  # the same accuracy by chance
    assert rows(book) == {
        ("pets", "coop"): (2, None),
        ("pets", "zero_shot"): (1, None),
        ("pets", "rlp"): (3, None),
    }


def test_an_average_has_a_result_of_its_own_where_any_data_set_has(book: Any) -> None:
    for seed, pets, cars in ((1, 80.0, 50.0), (2, 80.0, 51.0), (3, 81.0, 51.0)):
        book.write("coop", seed, pets)
        book.write("coop", seed, cars, dataset="cars")
    found = rows(book)
    assert (found["pets", "coop"][0], found["cars", "coop"][0], found["average", "coop"][0]) == (2, 2, 3)


def test_draws_are_sets_of_images_in_any_order(book: Any) -> None:
    for seed, images in ((1, [1, 2]), (2, [2, 1]), (3, [2, 3])):
        book.write("coop", seed, 80.0 + seed, more={"samples": images})
        book.write("rlp", seed, 80.0 + seed, dataset="cars", more={"samples": [seed, "a\udcff"]})
    found = rows(book)
    assert (found["pets", "coop"], found["cars", "rlp"]) == ((3, 2), (3, 3))
    text = render(summarise(book.store))
    assert "On pets some or all seeds drew the same training images: there they differ in starts" in text


def test_the_numbers_are_those_of_students_t() -> None:
    # of 1 and 2 degrees of freedom there are closed forms
    assert within_spread(2) == pytest.approx(2 / math.pi * math.atan(1.0))
    assert within_spread(3) == pytest.approx(math.sqrt(2.0) / math.sqrt(2.0 + 2.0))
    assert reach(2) == pytest.approx(math.tan(math.pi * 0.475) / math.sqrt(2))
    t = math.sqrt(2 * 0.95**2 / (1 - 0.95**2))
    assert reach(3) == pytest.approx(t / math.sqrt(3)) == pytest.approx(2.484, abs=1e-3)


def test_a_deviation_holds_the_mean_as_often_as_told() -> None:
    import numpy as np

    draw = np.random.default_rng(0).normal(size=(200_000, 3))
    holds = np.abs(draw.mean(1)) <= draw.std(1)
    assert holds.mean() == pytest.approx(within_spread(3), abs=0.005)


def test_pages_say_what_so_few_seeds_tell(book: Any, no_figures: None) -> None:
    for seed in (1, 2, 3):
        book.write("zero_shot", seed, 60.0)
        book.write("coop", seed, 70.0 + seed)
    for seed in (1, 2):
        book.write("rlp", seed, 70.0 + seed)
    summary = summarise(book.store)
    for text in (render(summary), render(summary, "html")):
        assert "1,2,3 (1 result)" in text
        assert "± is the population deviation over seeds, and no interval" in text
        assert "50 of 100 times for 2 seeds and 71 of 100 times for 3, if results are normal" in text
        assert "how many different results they gave, where that is fewer" in text
        assert (
            "they reach 9.0 standard deviations of the differences to each side for 2 seeds and 2.5 for 3"
            in text
        )
    latex = render(summary, "latex")
    assert r"All seeds give the same for zero\_shot." in latex and "71 of 100 times for 3" in latex


def test_one_seed_needs_no_words(book: Any, no_figures: None) -> None:
    book.write("coop", 1, 70.0)
    book.write("zero_shot", 1, 60.0)
    for format in ("markdown", "html", "latex"):
        text = render(summarise(book.store), format)
        assert not any(words in text for words in ("of 100 times", "result)", "to each side"))


def test_one_result_of_several_seeds_has_no_interval(book: Any) -> None:
    for seed in (1, 2, 3):
        book.write("zero_shot", seed, 60.0)
        book.write("tip_adapter", seed, 70.0)
        book.write("coop", seed, 70.0, more={"ece": float(seed)})
    found = {row.method: row for row in paired_differences(summarise(book.store)).rows}
    same, equal = (found[name].measures["accuracy"] for name in ("tip_adapter", "coop"))
    assert (same.mean, same.low, same.high, same.count) == (10.0, None, None, 1)
    assert (equal.mean, equal.low, equal.high, equal.count) == (10.0, 10.0, 10.0, 3)  # equal by chance
    assert found["tip_adapter"].to_json()["effective_seeds"] == 1
    text = render(summarise(book.store))
    assert "| pets | tip_adapter | seeds 1,2,3 (1 result) | +10.00 - |" in text
    assert "| pets | coop | seeds 1,2,3 | +10.00 [+10.00, +10.00] |" in text


def test_seeds_of_a_method_against_one_that_learns_nothing_are_all_counted(book: Any) -> None:
    for seed in (1, 2):
        book.write("zero_shot", seed, 60.0)
        book.write("coop", seed, 70.0 + seed)
    [row] = paired_differences(summarise(book.store)).rows
    assert (row.seeds, row.results, row.measures["accuracy"].count) == ((1, 2), 2, 2)
