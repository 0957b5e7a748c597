"""Many prompts and a few images: what `answer` says is what each prompt alone says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bank_prompts import answer, bank_of, drawn, fitted, place, queries, run
from learning_toys import toy_arrays

from promptlet import rng
from promptlet.backbones.arithmetic.unit import unit
from promptlet.classifier.answers.deciding import Answer, Rule, decide
from promptlet.classifier.rejection import rows_of, scores, threshold_of
from promptlet.errors import AnswerError, OptionError
from promptlet.serve.bank import Answerer, answer_each, answering
from promptlet.serve.bank.answerers import FailedError, answerer_of

MANY = 40


@pytest.fixture(scope="module")
def several(tiny_backbone: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Answerer]:
    """Prompts of several kinds, with classes in several numbers."""
    folder = tmp_path_factory.mktemp("several")
    for method in ("coop", "tip_adapter", "linear_probe", "clip_adapter", "zero_shot"):
        place(folder, method, fitted(tiny_backbone, method))
    for seed in range(MANY):
        names = tuple(f"{word} {seed % 7}" for word in ("cat", "dog", "car", "tree", "cup")[: 2 + seed % 4])
        place(folder, f"p{seed}", drawn(tiny_backbone, seed, names))
    bank = bank_of(folder, tiny_backbone)
    found = run(bank.answerers([one.name for one in bank.listed()]))
    return [one for one in found if isinstance(one, Answerer)]


def alone(one: Answerer, features: np.ndarray, rule: Rule) -> list[Answer]:
    """By the library's own functions, prompt by prompt and image by image."""
    x = unit(torch.from_numpy(features))
    accepted = np.ones(len(features), bool)
    if rule.accept is not None:
        assert one.rejection is not None
        found = scores(one.rejection, features, rows_of(one.taught, one.names))
        accepted = found >= threshold_of(one.rejection, rule.accept)
    answers = []
    for row, is_accepted in zip(x, accepted, strict=True):
        p = one.score(row[None]).softmax(-1).numpy()[0]
        answers.append(decide("", p, one.names, rule, bool(is_accepted)))
    return answers


@pytest.mark.parametrize("images", [1, 9])
@pytest.mark.parametrize(
    "rule", [Rule(), Rule(top=3, threshold=0.6), Rule(top=99)], ids=["plain", "three", "all"]
)
def test_as_each_alone(
    rule: Rule, images: int, several: list[Answerer], tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "BLOCK", 100)  # several blocks
    features = queries(tiny_backbone, images)
    found = answer(several, features, rule)
    assert len(found) == len(several) == MANY + 5
    for one, told in zip(several, found, strict=True):
        for mine, own in zip(told, alone(one, features, rule), strict=True):
            np.testing.assert_allclose(mine.probabilities, own.probabilities, atol=1e-6, rtol=0)
            assert mine.class_name == own.class_name and [n for n, _ in mine.top] == [n for n, _ in own.top]
            again = decide("", mine.probabilities, one.names, rule)
            assert (again.class_name, again.top) == (mine.class_name, mine.top)  # bit for bit


def test_rejection_as_the_library_s_bit_for_bit(several: list[Answerer], tiny_backbone: Any) -> None:
    learned = [one for one in several if one.rejection is not None]
    assert len(learned) >= 4
    own, _ = toy_arrays(tiny_backbone)
    features = np.concatenate([own * 7, queries(tiny_backbone, 20)])
    for accept in (True, 50, 75.0):
        found = answer(learned, features, Rule(accept=accept))
        for one, told in zip(learned, found, strict=True):
            wanted = [a.class_name is None for a in alone(one, features, Rule(accept=accept))]
            assert [a.class_name is None for a in told] == wanted
            assert any(wanted) and not all(wanted)


def test_false_is_no_percentage(several: list[Answerer], tiny_backbone: Any) -> None:
    features = queries(tiny_backbone, 2)
    assert answer(several, features, Rule(accept=False))[0][0].class_name is not None


def test_a_prompt_that_cannot_follow_the_rule_costs_itself_alone(
    several: list[Answerer], tiny_backbone: Any
) -> None:
    features = queries(tiny_backbone, 2)
    found = answer_each(several, features, Rule(accept=True))
    for one, own in zip(several, found, strict=True):
        assert isinstance(own, OptionError) == (one.rejection is None)
    with pytest.raises(OptionError, match="does not know 'none of these'"):
        answer(several, features, Rule(accept=True))
    strict = answer_each(several, features, Rule(accept=99.9))
    assert all(isinstance(own, OptionError) for own in strict)


def test_an_answer_that_is_no_number_costs_itself_alone(tiny_backbone: Any) -> None:
    names = ("a", "b")
    good = np.eye(2, tiny_backbone.feature_dim, dtype=np.float32)
    bad = np.full_like(good, np.nan)

    def scored(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[:, 0] * 1e9, x[:, 1]], dim=1)

    one, two, three = (
        answerer_of("p", "d", names, found, tiny_backbone, None, names) for found in (good, bad, scored)
    )
    features = np.eye(3, tiny_backbone.feature_dim, dtype=np.float32)
    found = answer_each([one, two, three], features, Rule())
    assert [[isinstance(own, AnswerError) for own in each] for each in found] == [  # type: ignore[union-attr]
        [False] * 3,
        [True] * 3,
        [True, False, False],
    ]
    with pytest.raises(AnswerError, match="a logit is nan"):
        answer([one, two], features, Rule())


@pytest.mark.parametrize("where", ["its scores", "its rejection"])
def test_what_nobody_expects_of_a_prompt_costs_itself_alone(
    where: str, several: list[Answerer], tiny_backbone: Any, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise MemoryError("a secret of the inside")

    names = several[0].names
    odd = replace(several[0], prompt="odd", matrix=None, score=fail)
    if where == "its rejection":
        odd = replace(odd, score=lambda x: torch.zeros(len(x), len(names)), no_rejection="no")
        monkeypatch.setattr(
            answering, "_accepted", lambda one, x, _: fail() if one is odd else [True] * len(x)
        )
    features = queries(tiny_backbone, 3)
    first, found, last = answer_each([several[1], odd, several[2]], features, Rule())
    assert isinstance(found, FailedError) and found.status == 500 and "secret" not in str(found)
    assert isinstance(first, list) and isinstance(last, list) and len(first) == len(last) == 3
    assert "'odd' cannot answer" in caplog.text and "a secret of the inside" in caplog.text


def test_nothing_asked(several: list[Answerer], tiny_backbone: Any) -> None:
    assert answer([], queries(tiny_backbone, 2), Rule()) == []
    none = np.zeros((0, tiny_backbone.feature_dim), np.float32)
    assert answer(several, none, Rule()) == [[] for _ in several]


def test_features_that_may_not_be_written_or_are_of_another_type(
    several: list[Answerer], tiny_backbone: Any
) -> None:
    features = queries(tiny_backbone, 2)
    wanted = answer(several, features, Rule())
    frozen = features.copy()
    frozen.flags.writeable = False
    for given in (frozen, features.astype(np.float64), features[:, ::-1][:, ::-1]):
        for mine, own in zip(answer(several, given, Rule()), wanted, strict=True):
            assert [a.top for a in mine] == [a.top for a in own]


def test_scale_and_bias_are_the_backbone_s(tmp_path: Path, siglip_folder: Path) -> None:
    from promptlet.backbones import load_backbone

    backbone = load_backbone(siglip_folder, device="cpu")
    assert backbone.logit_bias != 0
    matrix = rng.normal("test/bank/matrix", 1, (3, backbone.feature_dim), 1.0)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    names = ("a", "b", "c")
    one = answerer_of("p", "d", names, matrix, backbone, None, names)
    features = queries(backbone, 4)
    wanted = backbone.logits(unit(torch.from_numpy(features)), torch.from_numpy(matrix)).softmax(-1)
    found = np.stack([a.probabilities for a in answer([one], features, Rule())[0]])
    np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=0)
