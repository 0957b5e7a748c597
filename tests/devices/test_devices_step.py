"""A training step on a CUDA device, without one: nothing on the wrong device, nothing to wait for, and the
precision that is said (`fake_card`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from apple import not_on_apples
from fake_card import CARD, INDEX, READ, SHAPE, TO_CARD, TO_HOST, Ledger, no_numbers, put_on_card
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

from promptlet.backbones import Backbone, load_backbone
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.inputs import FeatureInputs, Inputs
from promptlet.methods.method import BY_STEPS, IMAGES
from promptlet.training import Schedule, train
from promptlet.training.captured import precision_of_steps, why_not_captured

NAMES = ["dog", "the dog", "cat photo"]
IMAGES_IN_ALL = 8
TRAINED = sorted(name for name, kind in METHODS.items() if kind.info.learns == BY_STEPS)
CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in TRAINED}
CASES |= {
    "coop per class": ("coop", {"per_class": True}),
    "coop in the middle": ("coop", {"class_token_position": "middle"}),
    "rlp with dropout": ("rlp", {"dropout": 0.3}),
    "ivlp of rank 1": ("ivlp", {"rank": 1, "dropout": 0.3}),
    "prograd of rank 1": ("prograd", {"rank": 1}),
}
IN_WEIGHTS = ("clip_lora", "clip_svd", "two_sfs")
KNOWN = {"qcoop": {TO_HOST: 1, TO_CARD: 1}}
"""Waits of a step that are told of a method (`Method.asks_host`)."""


QUICK = ("cocoop", "rlp with dropout", "maple", "clip_adapter")
every_case = pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)


ON_THE_HOST = {"_linalg_svd.default"}
"""What the library takes to the host where the device is Apple's."""


class Pictures:
    """Pixel values as `PixelInputs` gives them, on the host."""

    views, images, in_turn = 2, IMAGES_IN_ALL, False

    def take(self, views: Tensor, rows: Tensor) -> Tensor:
        assert views.device.type == rows.device.type == "cpu"
        return torch.empty(len(rows), 3, 32, 32)

    def digest(self) -> str:
        return ""


@pytest.fixture(scope="module")
def mode(clip_folder: Path) -> Iterator[FakeTensorMode]:
    with no_numbers() as mode:
        yield mode


def tiny(folder: Path) -> Backbone:
    with unset_fake_temporarily():
        return load_backbone(folder, device="cpu", dtype="mixed")


@pytest.fixture(scope="module")
def card(clip_folder: Path, mode: FakeTensorMode) -> Backbone:
    """The tiny backbone, on a card that is not there."""
    return put_on_card(tiny(clip_folder), mode)


@pytest.fixture(scope="module")
def librarys_card(clip_folder: Path, mode: FakeTensorMode) -> Backbone:
    """The same by transformers' own model, in whose layers some methods learn."""
    return put_on_card(tiny(clip_folder), mode, by_library=True)


@pytest.fixture
def card_of(case: str, request: pytest.FixtureRequest) -> Backbone:
    """What a method runs on."""
    found: Backbone = request.getfixturevalue("librarys_card" if case in IN_WEIGHTS else "card")
    return found


def inputs_of(name: str, backbone: Backbone) -> Inputs:
    if METHODS[name].info.reads == IMAGES:
        return Pictures()
    return FeatureInputs(torch.empty(2, IMAGES_IN_ALL, backbone.feature_dim), CARD)


def built(case: str, backbone: Backbone) -> Method:
    name, options = CASES[case]
    if name == "clip_lora":
        pytest.importorskip("peft", reason="peft is not installed")
    return build_method(name, backbone, NAMES, **options)


def waits_of(case: str, backbone: Backbone) -> tuple[dict[str, int], dict[str, int], set[str]]:
    """What a step waits for, and the end of an epoch: two epochs of two steps, counted where each begins. And
    the kernels that were asked for."""
    method, ledger, marks = built(case, backbone), Ledger(lenient=True, backward=True), []
    own = method.begin_step

    def begin_step(step: int) -> None:
        marks.append(Counter(ledger.waits))
        own(step)

    method.begin_step = begin_step  # type: ignore[method-assign]
    inputs, labels = inputs_of(CASES[case][0], backbone), torch.zeros(IMAGES_IN_ALL, dtype=torch.int64)
    schedule = Schedule("s", lr=0.01, epochs=2, batch_size=IMAGES_IN_ALL // 2, optimizer="adamw")
    with ledger:
        train(method, inputs, labels, schedule)
    for parameter in method.parameters():
        assert parameter.device == CARD
        assert parameter.grad is None or (parameter.grad.device, parameter.grad.dtype) == (
            CARD,
            torch.float32,
        )
    a_step, with_epoch = dict(marks[3] - marks[2]), marks[2] - marks[1]
    with_epoch.subtract(a_step)
    return a_step, {kind: count for kind, count in with_epoch.items() if count}, ledger.kernels


@pytest.mark.slow
@every_case
def test_no_step_waits_for_the_host(case: str, card_of: Backbone) -> None:
    """And an epoch is read twice: its losses, and its hits. All that runs there, Apple's devices have."""
    a_step, an_epoch, kernels = waits_of(case, card_of)
    assert a_step == KNOWN.get(CASES[case][0], {})
    assert bool(a_step) <= bool(METHODS[CASES[case][0]].asks_host)
    assert an_epoch == {TO_HOST: 1, READ: 1}
    assert not_on_apples(kernels) <= ON_THE_HOST


@every_case
def test_only_products_of_towers_are_in_low_precision(
    case: str, card_of: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forward pass of a step: losses, logits, norms and what is learned are in float32."""
    no_gradients = lambda _of, by, **_: [torch.zeros_like(one) for one in by]  # noqa: E731
    monkeypatch.setattr(torch.autograd, "grad", no_gradients)  # ProGrad's, within its loss
    name = CASES[case][0]
    method = built(case, card_of).train()
    if name == "tip_adapter_f":
        method._put(torch.empty(len(NAMES), 4, card_of.feature_dim, device=CARD))  # type: ignore[operator]
        method.cached_names = method.class_names
    inputs, labels = inputs_of(name, card_of), torch.zeros(IMAGES_IN_ALL, dtype=torch.int64, device=CARD)
    rows = torch.arange(IMAGES_IN_ALL, device="cpu" if isinstance(inputs, Pictures) else CARD)
    x = inputs.take(torch.zeros_like(rows), rows).to(CARD)
    method.begin_step(0)
    method.loss(x, labels)  # encodes what is frozen, in full precision
    with Ledger() as ledger, precision_of_steps(method):
        loss, logits = method.loss(x, labels)
    assert (loss.dtype, logits.dtype) == (torch.float32, torch.float32)
    seen, full = ledger.dtypes, {torch.float32}
    for one in ("_log_softmax", "nll_loss_forward", "linalg_vector_norm", "native_layer_norm"):
        assert seen.get(one, full) == full, one
    info = METHODS[name].info
    if info.in_text_tower or info.reads == IMAGES:
        assert torch.bfloat16 in seen["addmm"]
        assert torch.float32 not in seen.get("baddbmm", set())
        assert torch.float32 not in seen["addmm"] or name == "cocoop"  # its meta-net, beside the tower
    else:
        assert all(torch.bfloat16 not in dtypes for dtypes in seen.values())


@pytest.mark.parametrize(("case", "waits"), [("rlp", {TO_CARD: 1}), ("vpt", {})])
@pytest.mark.slow
def test_a_plain_text_tower_waits_at_each_step(
    case: str, waits: dict[str, int], librarys_card: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So such steps are not captured; those of a plain image tower could be."""
    monkeypatch.setattr(librarys_card.text, "engine", None)
    monkeypatch.setattr(librarys_card.images, "engine", None)
    assert waits_of(case, librarys_card)[0] == waits
    assert bool(why_not_captured(METHODS[case], librarys_card)) == bool(waits)


def test_the_ledger_counts_what_a_card_would_wait_for(card: Backbone) -> None:
    here, there = torch.zeros(3, dtype=torch.int64), torch.empty(3, device=CARD)
    with Ledger(lenient=True) as ledger:
        float(there.sum())
        there[here]
        there.cpu()
        here.to(CARD)
        here.to(CARD, non_blocking=True)
    assert ledger.waits == {READ: 1, INDEX: 1, TO_HOST: 1, TO_CARD: 1}
    assert ledger.copies_without_wait == 1


def test_the_ledger_counts_shapes_that_depend_on_numbers(card: Backbone) -> None:
    there = torch.empty(3, device=CARD)
    with Ledger() as ledger:
        for ask in (lambda: torch.nonzero(there), lambda: there[there > 0]):
            with pytest.raises(Exception, match="nonzero"):
                ask()
    assert ledger.waits[SHAPE] == 2


def test_operands_on_two_devices_are_refused(card: Backbone) -> None:
    with pytest.raises(Exception, match="same device"):
        torch.empty(3, device=CARD) + torch.empty(3)
