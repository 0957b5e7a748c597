"""Which way of learning is taken, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from promptlet.backbones import load_backbone
from promptlet.classifier import PromptLearner
from promptlet.errors import DataError, OptionError, TrainingError
from promptlet.own_images.estimating.out_of_fold import OutOfFold
from promptlet.own_images.material import Material
from promptlet.teach.learning import choosing
from promptlet.teach.learning.choosing import Choice, compared, too_few, too_long

NAMES = ("cat", "dog")
EACH = 10


@pytest.fixture
def material() -> Material:
    targets = np.repeat([0, 1], EACH)
    features = np.random.default_rng(1).normal(size=(1, 2 * EACH, 4)).astype(np.float32)
    hashes = tuple(f"{row:032x}" for row in range(2 * EACH))
    return Material(tuple(features[0]), targets, np.array(NAMES), NAMES, hashes, features, np.full(2, 0.5))


def said(material: Material, wrong: int) -> OutOfFold:
    """Answers of which so many are wrong."""
    right = np.eye(2)[material.targets]
    right[:wrong] = right[:wrong][:, ::-1]
    return OutOfFold(right.astype(np.float32), material.targets * 0, 5, 1.0)


def choice(
    material: Material,
    monkeypatch: pytest.MonkeyPatch,
    wrong: dict[str, int],
    taken: str,
    names_alone: float | None = None,
) -> Choice:
    """What is made of a comparison in which so many were wrong."""

    def compare(*_given: Any, on_answers: Any, **_more: Any) -> Any:
        for name, count in wrong.items():
            on_answers((name, {}), said(material, count))
        return SimpleNamespace(open_=taken, closed=taken)

    monkeypatch.setattr(choosing, "compare", compare)
    monkeypatch.setattr(choosing, "zero_shot_accuracy", lambda *_given: names_alone)
    nothing: Any = None
    return compared(nothing, nothing, material, lambda *_told: None)


def test_the_best_is_told_with_what_was_counted(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    found = choice(material, monkeypatch, {"rlp": 1, "coop": 1, "kgcoop": 5}, "rlp")
    assert (found.method, found.key) == ("rlp", "best") and found.answers is not None
    assert found.words == (
        "Of 20 photos that were held back, rlp was right on 19 (coop 19, kgcoop 15): no other way was right "
        "more often."
    )
    assert found.values == {
        "method": "rlp",
        "right": 19,
        "images": 20,
        "others": {"coop": 19, "kgcoop": 15},
    }


def test_the_smallest_is_told_as_what_it_is(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    found = choice(material, monkeypatch, {"rlp": 2, "coop": 1}, "rlp")
    assert (found.method, found.key) == ("rlp", "smallest") and "may be chance" in found.words


def test_names_that_are_surely_better_are_taken(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    found = choice(material, monkeypatch, {"rlp": 9, "coop": 10}, "rlp", 100.0)
    assert (found.method, found.key, found.answers) == ("zero_shot", "names-better", None)
    assert "right on 20 of 20 photos" in found.words and "at most 11" in found.words
    near = choice(material, monkeypatch, {"rlp": 2, "coop": 3}, "rlp", 95.0)
    assert near.method == "rlp"  # it may be chance


def test_few_photos_and_long_trainings_are_told(material: Material) -> None:
    assert too_few(material) is None
    few = too_few(material.only(np.array([0, 1, 2, 3, 10])))
    assert few is not None and few.key == "few-photos" and "“dog” has 1 photo," in few.words
    assert few.values == {"class": "dog", "count": 1, "needed": 4}
    assert too_long(60 / 15) is None
    slow = too_long(6.0)
    assert slow is not None and slow.values == {"ways": 3, "seconds": 90, "most": 60}
    assert "about 90 seconds" in slow.words and slow.method == "rlp"


def test_a_comparison_that_turns_out_long_is_given_up(material: Material) -> None:
    backbone = load_backbone("mini")
    draw = np.random.default_rng(2).normal(size=(1, 2 * EACH, backbone.feature_dim)).astype(np.float32)
    own = replace(material, features=draw, sources=tuple(draw[0]))
    told: list[tuple[int, int, str]] = []
    found = compared(PromptLearner(backbone), backbone, own, lambda *one: told.append(one), limit=0.0)
    assert (found.method, found.key, told) == ("rlp", "too-long", [])


@pytest.mark.parametrize("error", [DataError("all copies"), TrainingError("no number")])
def test_where_nothing_can_be_compared_the_usual_one_is_taken(
    material: Material, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def compare(*_given: Any, **_more: Any) -> Any:
        raise error

    monkeypatch.setattr(choosing, "compare", compare)
    nothing: Any = None
    found = compared(nothing, nothing, material, lambda *_told: None)
    assert (found.method, found.key, found.answers) == ("rlp", "only", None)
    monkeypatch.setattr(choosing, "compare", lambda *_given, **_more: _raise(OptionError("no")))
    assert compared(nothing, nothing, material, lambda *_told: None).key == "only"


def _raise(error: Exception) -> Any:
    raise error
