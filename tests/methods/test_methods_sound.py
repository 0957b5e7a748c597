"""Answers that mean nothing are refused: by every method, whether the prompt or the backbone is at fault."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, toy_arrays, toy_pictures

from promptlet.classifier import PromptClassifier
from promptlet.errors import AnswerError, ImageError, PromptFileError
from promptlet.methods import METHODS
from promptlet.methods.inputs import FeatureInputs, all_logits
from promptlet.methods.method import FEATURES
from promptlet.methods.sound import LARGEST, check_features, check_logits


@pytest.fixture(scope="module")
def taught(tiny_backbone: Any) -> Any:
    """A classifier of any method, fitted once, that has not answered yet."""
    kept: dict[str, tuple[PromptClassifier, Any]] = {}

    def fit(method: str) -> tuple[PromptClassifier, Any]:
        if method not in kept:
            if METHODS[method].info.reads == FEATURES:
                x, y = toy_arrays(tiny_backbone)
            else:
                pictures, labels = toy_pictures(tiny_backbone)
                x, y = pictures.sources, np.array(NAMES)[labels.numpy()]
            clf = PromptClassifier(tiny_backbone, method, epochs=1, cache=False, batch_size=8)
            kept[method] = clf.fit(x, y), x
        clf, x = kept[method]
        clf._settle(clf.method_, clf._classes)
        return clf, x

    return fit


OWN_SCALE = ("linear_probe", "lp_pp")  # their logits are not the backbone's


@pytest.mark.parametrize("scale", [math.nan, math.inf, -math.inf, 1e20])
@pytest.mark.parametrize("method", [name for name in METHODS if name not in OWN_SCALE])
def test_an_absurd_logit_scale_is_no_answer(
    method: str, scale: float, taught: Any, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clf, x = taught(method)
    monkeypatch.setattr(tiny_backbone, "logit_scale", scale)
    with pytest.raises(AnswerError, match="no numbers to go by"):
        clf.predict(x)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("method", [name for name in METHODS if not name.startswith("zero_shot")])
def test_learned_numbers_that_are_none_give_no_answer(method: str, value: float, taught: Any) -> None:
    clf, x = taught(method)
    before = {name: p.detach().clone() for name, p in clf.method_.named_parameters()}
    before |= {name: b.clone() for name, b in clf.method_.named_buffers()}
    state = {**dict(clf.method_.named_parameters()), **dict(clf.method_.named_buffers())}
    try:
        with torch.no_grad():
            for tensor in state.values():
                if tensor.dtype.is_floating_point:
                    tensor.fill_(value)
        with pytest.raises(
            PromptFileError if method == "qcoop" else AnswerError
        ):  # it rounds before it answers
            clf.predict_proba(x)
    finally:
        with torch.no_grad():
            for name, tensor in state.items():
                tensor.copy_(before[name])
    clf._settle(clf.method_, clf._classes)
    assert np.isfinite(clf.predict_proba(x)).all()


def test_class_features_are_checked_too(taught: Any) -> None:
    clf, _ = taught("coop")
    with torch.no_grad():
        learned = next(clf.method_.parameters())
        kept = learned.clone()
        learned.fill_(math.nan)
    with pytest.raises(AnswerError, match=r"the features of class .* have length nan, not 1"):
        clf.class_features()
    with torch.no_grad():
        learned.copy_(kept)
    clf.class_features()


def test_one_image_costs_itself_alone(taught: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clf, x = taught("rlp")
    real = clf._answers.scorer(clf.class_names_, None)
    key = (*clf.class_names_, None)

    def spoil(inputs: torch.Tensor) -> torch.Tensor:
        logits = real(inputs)
        logits[2] = math.nan
        return logits

    clf._answers._scorers[key] = spoil
    with pytest.raises(ImageError, match="image 2: 1 of"):
        clf.predict_proba(x)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1.1 * LARGEST])
def test_the_rule_for_logits(bad: float) -> None:
    logits = torch.tensor([[1.0, 2.0], [LARGEST, -LARGEST]])
    assert check_logits(logits) is logits
    logits = torch.tensor([[1.0, 2.0], [bad, 0.0], [0.0, bad]])
    with pytest.raises(AnswerError) as caught:
        check_logits(logits)
    assert caught.value.rows == (1, 2) and "2 of 3 answers" in str(caught.value)
    inputs = FeatureInputs(torch.ones(1, 3, 4))
    with pytest.raises(AnswerError):
        all_logits(lambda given: logits[: len(given)], inputs, torch.device("cpu"))


def test_the_rule_for_class_features() -> None:
    unit = torch.eye(3)
    assert check_features(unit, ("a", "b", "c")) is unit
    for bad in (0.0, 2.0, math.nan, math.inf):
        unit = torch.eye(3)
        unit[1] = bad
        with pytest.raises(AnswerError, match="class 'b'"):
            check_features(unit, ("a", "b", "c"))
