"""How the schedule ``fast`` was chosen: the trial loop is the library's, and the rule says what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.fast_schedule.__main__ import table
from benchmarks.fast_schedule.recipes import Recipe, learn, old_recipe, recipe_from
from benchmarks.fast_schedule.rule import difference
from benchmarks.rows import read_rows
from learning_toys import NAMES, toy_problem

from promptlet.methods import METHODS, build_method
from promptlet.training import SCHEDULES, Schedule, method_schedule, train

ROOT = Path(__file__).parents[2]
CHOSEN = Recipe(passes=60, opt="bounded", decay="flat:0.5")


def former(name: str) -> Schedule:
    return replace(SCHEDULES["fast"], **METHODS[name].info.fast)


@pytest.mark.parametrize(
    ("recipe", "schedule"),
    [
        (CHOSEN, method_schedule(METHODS["rlp"].info, "fast")),
        (old_recipe("rlp:rank=1"), former("rlp")),
    ],
    ids=["chosen", "former"],
)
def test_the_trial_loop_is_the_librarys(recipe: Recipe, schedule: Schedule, tiny_backbone: Any) -> None:
    recipe, schedule = replace(recipe, passes=12), replace(schedule, epochs=12)  # rounding grows with more
    features, labels = toy_problem(tiny_backbone)
    tried, trained = (build_method("rlp", tiny_backbone, NAMES) for _ in range(2))
    passes, loss = learn(tried, recipe, torch.nn.functional.normalize(features[0], dim=-1), labels)
    result = train(trained, features, labels, schedule)
    assert passes == result.text_passes
    assert loss == pytest.approx(result.history[-1].loss, rel=1e-4)
    for name, number in trained.trainables().items():
        torch.testing.assert_close(tried.trainables()[name], number, rtol=1e-3, atol=1e-4)


def test_a_recipe_is_told_and_read() -> None:
    assert recipe_from(CHOSEN.told()) == CHOSEN and recipe_from(Recipe().told()) == Recipe()
    with pytest.raises(ValueError, match="'epochs' is nothing that a recipe has"):
        recipe_from('{"epochs": 3}')


def row(bed: str, seed: int, h: float, base: float = 80.0) -> dict[str, Any]:
    key = {"bed": bed, "shots": 8, "fold": 0, "seed": seed, "start": seed, "method": "rlp"}
    return {**key, "H": h, "base": base, "new_learned": 60.0, "passes": 60}


BEDS = ("realbed/a", "realclip/b", "mini-c", "mini-d")
OLD = [row(bed, seed, 70.0 + seed) for bed in BEDS for seed in (1, 2)]


def changed(bed: str = "", by: float = 0.0, every: float = 0.0, base: float = 80.0) -> list[dict[str, Any]]:
    return [row(r["bed"], r["seed"], r["H"] + every + by * (r["bed"] == bed), base) for r in OLD]


@pytest.mark.parametrize(
    ("new", "is_same"),
    [
        (changed(), True),
        (changed(every=-0.25), True),
        (changed(every=-0.35), False),
        (changed(every=+2.0), True),
        (changed("mini-c", -1.0), False),  # the interval, and the embedded ones' mean
        (changed("realbed/a", -1.6, every=0.5), False),
        (changed(base=79.6), True),
        (changed(base=79.4), False),
    ],
)
def test_the_rule(new: list[dict[str, Any]], is_same: bool) -> None:
    assert difference(new, OLD).is_same == is_same


def test_a_difference_is_over_beds_alike_and_over_pairs_alone() -> None:
    new = [*changed("mini-c", 4.0), row("realbed/a", 9, 0.0)]  # the last has no partner
    found = difference(new, OLD)
    h = found.H
    assert found.problems == 8 and h == pytest.approx(1.0)
    assert found.real == pytest.approx(0.0) and found.embedded == pytest.approx(2.0)
    assert found.worst[1] == 0.0
    assert found.high - h == pytest.approx(3.182446 * 2.0 / 2.0, rel=1e-5)  # t(3), s = 2, four beds
    with pytest.raises(ValueError, match="no two beds"):
        difference(new[:2], OLD)


def test_the_page_shows_the_committed_rows() -> None:
    rows = read_rows(ROOT / "benchmarks" / "results" / "fast-schedule.jsonl.gz")
    page = (ROOT / "docs" / "explanation" / "fast-schedule.md").read_text(encoding="utf-8")
    shown = {(one["stage"], one["method"]) for one in rows}
    assert ("confirm", "rlp") in shown and ("test", "rlp") in shown
    for stage, method in shown:
        assert table(rows, stage, method) in page, (stage, method)


def test_what_a_method_takes_passed_the_rule() -> None:
    """Whatever has a form of its own for a loss that stays the same was confirmed, in that form."""
    rows = read_rows(ROOT / "benchmarks" / "results" / "fast-schedule.jsonl.gz")
    for name, cls in METHODS.items():
        if not cls.info.fast_whole:
            continue
        told = replace(CHOSEN, passes=cls.info.fast_whole["epochs"]).told()
        own = [one for one in rows if (one["stage"], one["method"]) == ("confirm", name)]
        new = [one for one in own if one["recipe"] == told]
        old = [one for one in own if one["recipe"] == old_recipe(name).told()]
        assert difference(new, old).is_same and difference(new, old).problems >= 136
