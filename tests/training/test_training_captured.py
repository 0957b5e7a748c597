"""Steps that are captured: the loop around them. In place of a graph, a recorder runs the work anew."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
import torch
from learning_toys import NAMES, toy_pictures, toy_problem
from torch import Tensor

from promptlet.backbones import load_backbone
from promptlet.backbones.text.engine import MAX_PLANS
from promptlet.errors import OptionError
from promptlet.methods import METHODS, build_method
from promptlet.methods.method import BY_STEPS, IMAGES
from promptlet.training import Schedule, captured, loop, train
from promptlet.training.captured import WARM_UP, Body, Captured
from promptlet.training.sampled import Among

SCHEDULE = Schedule("short", lr=0.02, epochs=3, batch_size=6, optimizer="adamw", drop_last=False)
CASES: list[tuple[str, dict[str, Any]]] = [
    ("coop", {}),
    ("cocoop", {}),
    ("rlp", {"dropout": 0.3}),
    ("prograd", {}),
    ("maple", {}),
    ("tip_adapter_f", {}),
    ("clap", {}),
    ("prolip", {"r": 2}),
]


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often what was recorded is run anew; there need be no card."""
    count = [0]

    def record(body: Body) -> tuple[tuple[Tensor, ...], Callable[[], None]]:
        held = tuple(torch.full_like(one, float("nan")) for one in body())

        def replay() -> None:
            count[0] += 1
            for kept, found in zip(held, body(), strict=True):
                kept.copy_(found)

        return held, replay

    monkeypatch.setattr(loop, "Captured", partial(Captured, record=record))
    monkeypatch.setattr(loop, "check_captured", lambda _method, _backbone: None)
    return count


@pytest.mark.parametrize(("name", "options"), CASES, ids=lambda one: str(one))
def test_replayed_steps_learn_the_same(
    name: str, options: dict[str, Any], tiny_backbone: Any, replays: list[int]
) -> None:
    """20 images in batches of 6: three whole ones an epoch, and one of two that is never replayed."""
    inputs, labels = (toy_pictures if METHODS[name].info.reads == IMAGES else toy_problem)(tiny_backbone)
    plain, other = (build_method(name, tiny_backbone, NAMES, **options) for _ in range(2))
    expected = train(plain, inputs, labels, SCHEDULE).history
    found = train(other, inputs, labels, SCHEDULE, capture=True).history
    whole_steps = 3 * 3
    assert replays[0] == whole_steps - WARM_UP
    assert [(one.loss, one.accuracy) for one in found] == [(one.loss, one.accuracy) for one in expected]
    for mine, theirs in zip(other.state().values(), plain.state().values(), strict=True):
        assert (mine == theirs).all()


@pytest.mark.slow
def test_what_a_graph_reads_by_address_stays_while_other_names_are_encoded(clip_folder: Path) -> None:
    backbone = load_backbone(clip_folder, "cpu", "float32")
    engine = backbone.text.engine
    assert engine is not None
    inputs, labels = toy_problem(backbone)
    method = build_method("coop", backbone, NAMES)
    step = Captured(method, record=lambda body: (body(), lambda: None))
    for _ in range(WARM_UP + 1):
        step(inputs[0], Among(torch.arange(len(labels)), None, labels))
    assert step.kept
    plan = next(one for one in engine.plans if one.layouts and one.count == len(NAMES))
    known = ref(plan)
    masks = [layout.mask.data_ptr() for layout in plan.layouts.values()]
    del plan

    def forgotten() -> None:
        for i in range(MAX_PLANS + 1):
            backbone.text.encode_texts([f"photo {i}"])
        gc.collect()

    forgotten()
    still = known()
    assert still is not None and [layout.mask.data_ptr() for layout in still.layouts.values()] == masks
    del still, step
    forgotten()
    assert known() is None


def test_on_a_cpu_nothing_can_be_captured(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    with pytest.raises(
        OptionError, match=r"capture is not possible with 'coop' here: the backbone is on cpu"
    ):
        train(build_method("coop", tiny_backbone, NAMES), features, labels, SCHEDULE, capture=True)


def test_what_asks_the_host_is_told(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    method = build_method("qcoop", tiny_backbone, NAMES)
    monkeypatch.setattr(type(tiny_backbone), "device", torch.device("cuda"))
    assert "NumPy finds its clusters" in captured.why_not_captured(method, tiny_backbone)
    assert captured.why_not_captured(METHODS["coop"], tiny_backbone) == ""


def test_a_text_tower_without_the_engine_cannot_be_captured(
    tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes token ids at each step, which wait for the host (`test_devices_step`)."""
    monkeypatch.setattr(type(tiny_backbone), "device", torch.device("cuda"))
    monkeypatch.setattr(tiny_backbone.text, "engine", None)
    for name in ("coop", "maple"):
        with pytest.raises(OptionError, match=f"with {name!r} here: the text tower takes the plain path"):
            captured.check_captured(METHODS[name], tiny_backbone)
    for name in ("vpt", "clip_adapter"):  # nothing of theirs is learned in that tower
        captured.check_captured(METHODS[name], tiny_backbone)


def test_every_method_says_whether_it_asks() -> None:
    asking = {name for name, kind in METHODS.items() if kind.info.learns == BY_STEPS and kind.asks_host}
    assert asking == {"qcoop", "dip_do", "dip_pp", "clip_lora", "clip_svd", "two_sfs"}


def test_a_classifier_says_so_before_images_are_encoded(tiny_backbone: Any) -> None:
    from promptlet.classifier import PromptLearner

    classifier = PromptLearner(backbone=tiny_backbone, method="coop")
    classifier.capture = True
    classifier.on_encode = lambda *_: pytest.fail("an image was encoded")
    images = [torch.full((3, 32, 32), 0.1 * i) for i in range(4)]
    with pytest.raises(OptionError, match="capture is not possible with 'coop' here: the backbone is on cpu"):
        classifier.fit(images, ["dog", "cat", "dog", "cat"])
