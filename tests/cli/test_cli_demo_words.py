"""What the demo says is true whatever the numbers turn out to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promptlet.cli.demo import words
from promptlet.cli.demo.story import Story

ESTIMATE = {"accuracy": 80.0, "low": 70.0, "high": 88.0}


def story(**changes: Any) -> Story:
    fit: Any = SimpleNamespace(trainable=264, estimate=ESTIMATE)
    names = ("cat", "dog")
    told = Story("mini", 16, names, names, Path("a.prompt"), 2000, fit, 60, 80, 50, 95, 20, (), ())
    return replace(told, **changes)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (80.0, "20.0 points more than by the names alone. The estimate held."),
        (60.4, "about as many as by the names alone: here there was nothing to gain. The estimate was off."),
        (45.0, "15.0 points less than by the names alone: here learning did harm. The estimate was off."),
    ],
)
def test_gain_none_and_harm(after: float, said: str) -> None:
    assert words.of_the_same(story(after=after)).endswith(said)


def row(method: str, base: float, new: float, trainable: int) -> dict[str, Any]:
    return {"dataset": "average", "method": method, "base": base, "new": new, "trainable": trainable}


def test_the_comparison_names_who_is_above_whom() -> None:
    rows = [row("zero_shot", 60, 60, 0), row("coop", 75, 50, 512), row("rlp", 70, 60.2, 256)]
    said = words.of_methods(rows)
    assert "RLP is 10.0 points above the names alone and 5.0 points below CoOp" in said
    assert "2.0 times as many numbers" in said and "level with the names alone and 10.2 points above" in said
    assert "nothing is concluded" in words.of_methods(rows[:2])


def test_an_estimate_that_could_not_be_made_is_told() -> None:
    none: Any = SimpleNamespace(trainable=4, estimate={"accuracy": None, "reason": "no second photo"})
    assert "It gives no estimate: no second photo." in words.of_learning(story(fit=none))
    assert "estimate" not in words.of_the_same(story(fit=none))


def test_rejection_is_told_from_both_sides() -> None:
    assert "to 80.0 % of pictures of classes it was never taught, and wrongly to 5.0 %" in words.of_none(
        story()
    )
