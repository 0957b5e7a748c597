"""CoOp's class_token_position: where it goes, what a file keeps of it, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, noise, toy_arrays, toy_problem

from promptlet import PromptClassifier
from promptlet.errors import OptionError
from promptlet.methods import build_method
from promptlet.training import Schedule, train

SCHEDULE = Schedule("short", lr=0.05, epochs=3, batch_size=6)
MOVED = pytest.mark.parametrize("position", ["middle", "front"])


@MOVED
@pytest.mark.parametrize("per_class", [False, True])
def test_coop_asks_for_the_position(position: Any, per_class: bool, tiny_backbone: Any) -> None:
    method: Any = build_method(
        "coop", tiny_backbone, NAMES, per_class=per_class, class_token_position=position
    ).eval()
    context = noise("moved", tuple(method.context.P.shape), 0.5)
    method.load_state({"P": context.numpy()})
    placement = "per_class" if per_class else "input"
    expected = tiny_backbone.text.encode_reference(context, NAMES, placement, position)
    torch.testing.assert_close(method.class_features(), F.normalize(expected, dim=-1), atol=1e-5, rtol=1e-4)


def test_the_end_is_coop_as_it_was(tiny_backbone: Any) -> None:
    plain, end = (
        build_method("coop", tiny_backbone, NAMES, **options)
        for options in ({}, {"class_token_position": "end"})
    )
    assert torch.equal(plain.class_features(), end.class_features())
    assert repr(plain) == repr(end)
    assert plain.stored_options() == end.stored_options() == {}


@MOVED
def test_it_learns_and_repeats(position: str, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    contexts = []
    for _ in range(2):
        method: Any = build_method("coop", tiny_backbone, NAMES, class_token_position=position)
        result = train(method, features, labels, SCHEDULE)
        contexts.append(method.context.merged())
    assert torch.equal(*contexts)
    assert result.history[-1].loss < result.history[0].loss
    assert f"class_token='{position}'" in repr(method)
    assert method.stored_options() == {"class_token_position": position}


@MOVED
@pytest.mark.parametrize("per_class", [False, True])
def test_a_prompt_file_keeps_it(position: str, per_class: bool, tiny_backbone: Any, tmp_path: Path) -> None:
    features, labels = toy_arrays(tiny_backbone)
    options = {"per_class": per_class, "class_token_position": position}
    clf = PromptClassifier(tiny_backbone, method="coop", method_options=options, epochs=2)
    clf.fit(features, labels)
    clf.save(tmp_path / "moved.prompt")
    back = PromptClassifier.load(tmp_path / "moved.prompt", tiny_backbone)
    assert (back.predict_proba(features) == clf.predict_proba(features)).all()
    assert back.method_.class_token == position


@pytest.mark.parametrize("given", ["centre", 3])
def test_other_words_are_refused(given: Any, tiny_backbone: Any) -> None:
    with pytest.raises(
        OptionError, match=f"class_token_position='{given}' is not known; allowed: end, middle, front"
    ):
        build_method("coop", tiny_backbone, NAMES, class_token_position=given)
