"""Paired differences against numbers computed by hand and by scipy's own paired test."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

from promptlet.errors import OptionError
from promptlet.report import Difference, paired_differences, render, summarise
from promptlet.report.formats.difference_tables import in_words
from promptlet.report.statistics.differences import t_interval

T1, T2 = 12.706, 4.303
"""Student's t, 97.5 %, of one and of two degrees of freedom, from a printed table."""


def found(book: Any, against: str | None = None) -> dict[tuple[str, str], Difference]:
    rows = paired_differences(summarise(book.store), against).rows
    return {(row.name, row.dataset): row for row in rows}


def test_an_interval_is_that_of_the_printed_table() -> None:
    three = t_interval([1.0, 2.0, 3.0])  # deviation 1
    assert (three.mean, three.count) == (2.0, 3)
    assert three.high == pytest.approx(2 + T2 / 3**0.5, abs=1e-3)
    assert three.low == pytest.approx(2 - T2 / 3**0.5, abs=1e-3)
    two = t_interval([0.0, 2.0])  # deviation sqrt(2), divided by sqrt(2)
    assert two.low == pytest.approx(1 - T1, abs=1e-3) and two.high == pytest.approx(1 + T1, abs=1e-3)
    equal = t_interval([0.5, 0.5, 0.5])
    assert equal.low == equal.mean == equal.high == 0.5
    one = t_interval([4.0])
    assert (one.mean, one.low, one.high, one.count) == (4.0, None, None, 1)


def test_words_of_an_interval() -> None:
    assert in_words(t_interval([0.0, 2.0])) == "+1.00 [-11.71, +13.71]"
    assert in_words(t_interval([-1.0])) == "-1.00 -"
    assert in_words(t_interval([-0.001, -0.001])) == "+0.00 [+0.00, +0.00]"


def test_seeds_are_paired_and_those_of_one_method_alone_are_left_out(book: Any) -> None:
    for seed, (mine, theirs) in {1: (70.0, 60.0), 2: (75.0, 63.0), 3: (71.0, 57.0)}.items():
        book.write("coop", seed, mine)
        book.write("zero_shot", seed, theirs)
    book.write("coop", 4, 1.0)  # no partner
    [row] = found(book).values()
    assert (row.name, row.against, row.seeds, row.dataset) == ("coop", "zero_shot", (1, 2, 3), "pets")
    difference = row.measures["accuracy"]  # 10, 12, 14: deviation 2
    assert (difference.mean, difference.count) == (12.0, 3)
    assert difference.high == pytest.approx(12 + 2 * T2 / 3**0.5, abs=2e-3)


def test_h_is_that_of_each_run_and_the_average_is_over_data_sets(book: Any) -> None:
    for dataset, scores in {"pets": (90.0, 30.0), "cars": (80.0, 80.0), "land": (50.0, 50.0)}.items():
        book.write("coop", 1, *scores, dataset=dataset)
        book.write("zero_shot", 1, 60.0, 60.0, dataset=dataset)
    rows = found(book)
    pets = rows["coop", "pets"]
    assert pets.measures["base"].mean == 30.0 and pets.measures["new"].mean == -30.0
    assert pets.measures["H"].mean == pytest.approx(45.0 - 60.0) and pets.measures["H"].low is None
    average = rows["coop", "average"]
    assert average.datasets == ("cars", "land", "pets") and average.seeds == ()
    h = average.measures["H"]  # +20, -10, -15: their mean and deviation by hand
    assert h.mean == pytest.approx(-5 / 3)
    spread = (((20 + 5 / 3) ** 2 + (-10 + 5 / 3) ** 2 + (-15 + 5 / 3) ** 2) / 2) ** 0.5
    assert h.low == pytest.approx(-5 / 3 - T2 * spread / 3**0.5, abs=1e-2)
    assert average.signs == {"base": (2, 0, 1), "new": (1, 0, 2), "H": (1, 0, 2)}
    table = {row["method"]: row["H"] for row in summarise(book.store).rows if row["dataset"] == "average"}
    assert table["coop"] - table["zero_shot"] != pytest.approx(h.mean, abs=0.1)  # as the page says


def test_of_all_names_the_areas_and_the_accuracy_among_all_are_compared(book: Any) -> None:
    for dataset, scores in {"pets": (62.0, 30.0, 90.0, 30.0), "cars": (57.0, 45.0, 80.0, 80.0)}.items():
        book.write("coop", 1, *scores, dataset=dataset)
        book.write("zero_shot", 1, 60.0, 40.0, 60.0, 60.0, dataset=dataset)
    rows = found(book)
    assert {name: one.mean for name, one in rows["coop", "pets"].measures.items()} == {
        "all": 2.0, "openworld_auc": -10.0, "base": 30.0, "new": -30.0, "H": pytest.approx(-15.0)
    }  # fmt: skip
    assert rows["coop", "average"].signs["all"] == (1, 0, 1)
    text = render(summarise(book.store))
    assert (
        "| data set | method | pairs | all | OpenworldAUC | base | new | H | all better/equal/worse |" in text
    )
    assert "| pets | coop | seeds 1 | +2.00 - | -10.00 - | +30.00 - | -30.00 - | -15.00 - |  |" in text
    assert "H is that of each run" in text
    json.dumps([row.to_json() for row in rows.values()], allow_nan=False)


def test_the_average_is_of_the_means_over_seeds_of_each_data_set(book: Any) -> None:
    for dataset, seeds in {"pets": {1: 4.0, 2: 8.0}, "cars": {1: 10.0}}.items():
        for seed, more in seeds.items():
            book.write("coop", seed, 50.0 + more, dataset=dataset)
            book.write("zero_shot", seed, 50.0, dataset=dataset)
    average = found(book)["coop", "average"].measures["accuracy"]
    assert (average.mean, average.count) == (8.0, 2)  # of 6 and 10, not of 4, 8 and 10
    assert average.high == pytest.approx(8 + T1 * 2, abs=2e-3)


def test_intervals_are_those_of_the_paired_t_test(book: Any) -> None:
    draw = np.random.default_rng(0)
    mine, theirs = draw.normal(70, 3, 6), draw.normal(65, 3, 6)
    for seed in range(6):
        book.write("coop", seed, float(mine[seed]))
        book.write("zero_shot", seed, float(theirs[seed]))
    interval = found(book)["coop", "pets"].measures["accuracy"]
    expected = stats.ttest_rel(mine, theirs).confidence_interval(0.95)
    assert (interval.low, interval.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_other_content_of_a_data_set_is_not_paired(book: Any) -> None:
    book.write("coop", 1, 70.0, data="pets-2")
    book.write("zero_shot", 1, 60.0)
    told = paired_differences(summarise(book.store))
    assert told.rows == ()
    assert told.notes == ("few-shot, 16 shots: coop and zero_shot have no runs in common on pets",)


def test_other_backbones_shots_and_protocols_are_not_compared(book: Any) -> None:
    book.write("zero_shot", 1, 60.0)
    book.write("coop", 1, 70.0, fingerprint="d-e-f")
    book.write("coop", 1, 70.0, shots=4)
    book.write("coop", 1, 70.0, 60.0)
    assert paired_differences(summarise(book.store)).rows == ()


def test_the_reference_is_zero_shot_or_what_trains_least_or_what_is_asked_for(book: Any) -> None:
    book.write("coop", 1, 70.0)
    book.write("rlp", 1, 68.0)
    assert {(row.name, row.against) for row in found(book).values()} == {("coop", "rlp")}
    book.write("zero_shot", 1, 60.0)
    assert {(row.name, row.against) for row in found(book).values()} == {
        ("coop", "zero_shot"),
        ("rlp", "zero_shot"),
    }
    asked = found(book, "coop")
    assert {(row.name, row.against) for row in asked.values()} == {("rlp", "coop"), ("zero_shot", "coop")}
    assert asked["rlp", "pets"].measures["accuracy"].mean == -2.0


def test_a_reference_that_is_not_there_or_stands_for_several(book: Any) -> None:
    book.write("coop", 1, 70.0)
    book.write("coop", 1, 71.0, options={"n_ctx": 8})
    book.write("zero_shot", 1, 60.0)
    book.write("zero_shot", 1, 61.0, 60.0)
    book.write("rlp", 1, 62.0, 60.0)
    with pytest.raises(OptionError, match=r"'cop' is no method .* zero_shot, rlp, .* mean 'coop'"):
        paired_differences(summarise(book.store), "cop")
    with pytest.raises(OptionError, match=r"several .* one of: coop \(n_ctx=8\), coop \(n_ctx=4\)"):
        paired_differences(summarise(book.store), "coop")
    told = paired_differences(summarise(book.store), "coop (n_ctx=8)")
    assert {row.name for row in told.rows} == {"coop (n_ctx=4)", "zero_shot"}
    assert told.notes == ("base-to-new, 16 shots: no differences, coop (n_ctx=8) is not among its methods",)


def test_schedules_are_told_apart(book: Any) -> None:
    book.write("zero_shot", 1, 60.0)
    for name, accuracy in (("fast", 70.0), ("coop", 72.0)):
        book.write("coop", 1, accuracy, settings={"name": name, "lr": 0.1})
    assert {row.name: row.measures["accuracy"].mean for row in found(book).values()} == {
        "coop (schedule=fast)": 10.0,
        "coop (schedule=coop)": 12.0,
    }


def test_a_data_set_under_two_templates_is_not_guessed(book: Any) -> None:
    book.write("coop", 1, 70.0)
    book.write("zero_shot", 1, 60.0)
    book.write("zero_shot", 1, 55.0, options={"template": "a drawing of {}."})
    told = paired_differences(summarise(book.store))
    assert told.rows == () and "no runs in common on pets" in told.notes[0]


def test_json_and_markdown_tell_the_same(book: Any) -> None:
    for dataset in ("pets", "cars"):
        book.write("coop", 1, 70.0, 50.0, dataset=dataset)
        book.write("zero_shot", 1, 60.0, 60.0, dataset=dataset)
    documents = [row.to_json() for row in found(book).values()]
    json.dumps(documents, allow_nan=False)
    pets = next(one for one in documents if one["dataset"] == "pets")
    assert pets["measures"]["base"] == {"mean": 10.0, "low": None, "high": None, "n": 1}
    assert (pets["label"], pets["against"], pets["seeds"], pets["shots"]) == ("coop", "zero_shot", [1], 16)
    average = next(one for one in documents if one["dataset"] == "average")
    assert average["measures"]["new"] == {
        "mean": -10.0, "low": -10.0, "high": -10.0, "n": 2, "better": 0, "equal": 0, "worse": 2
    }  # fmt: skip
    lines = render(summarise(book.store)).splitlines()
    assert "## Differences" in lines and "**base-to-new, 16 shots, against zero_shot**" in lines
    assert "| pets | coop | seeds 1 | +10.00 - | -10.00 - | -1.67 - |  |" in lines
    assert any(line.startswith("| average | coop | 2 data sets | +10.00 [+10.00, +10.00]") for line in lines)
    words = " ".join(lines)
    assert "not tell of other test images" in words and "Nothing is corrected for the number" in words


def test_one_method_alone_has_no_differences(book: Any) -> None:
    book.write("coop", 1, 70.0)
    assert "Differences" not in render(summarise(book.store))
