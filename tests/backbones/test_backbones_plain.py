"""Layers that are not plain take the plain path, or are refused: engines never read past them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from changed_models import (
    CHANGES,
    CPU,
    NAMES,
    SIDES,
    Change,
    detached,
    layer,
    lora,
    official,
    ours,
    pixels,
    quantised,
    subclass,
    wrapped,
)
from tiny_models import OPEN_CLIP, clip_model, shaken
from torch import nn
from torch.nn.utils import parametrizations

from promptlet.backbones import load_backbone
from promptlet.backbones.libraries.open_clip import wrap_open_clip
from promptlet.errors import BackboneError


@pytest.mark.parametrize("side", ["text", "image"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_changed_layers_answer_as_the_library_does(change: Change, side: str) -> None:
    model = clip_model()
    plain = wrapped(copy.deepcopy(model))
    change(model, side)
    backbone = wrapped(model.eval())
    torch.testing.assert_close(ours(backbone, side), official(model, side, backbone), atol=1e-5, rtol=0)
    assert (ours(backbone, side) - ours(plain, side)).norm() > 1e-3
    if side == "text":
        assert not backbone.text.exact_sharing
        texts = [f"a photo of {name}." for name in NAMES]
        torch.testing.assert_close(
            backbone.encode_texts(texts), official(model, side, backbone), atol=1e-5, rtol=0
        )
    assert backbone.images.has_tokens
    context = torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(1), requires_grad=True)
    found = [
        encode(pixels(), context)
        for encode in (backbone.images.encode_prompted, backbone.images.encode_prompted_reference)
    ]
    torch.testing.assert_close(*found, atol=1e-5, rtol=0)
    assert torch.autograd.grad(found[0].sum(), context)[0].norm() > 0
    [note] = backbone.notes((), NAMES)
    assert note.startswith(f"the {side} tower of toy takes the plain path")
    differ = [a != b for a, b in zip(*(b.fingerprint.split("-") for b in (plain, backbone)), strict=True)]
    assert differ == [side == "text", False, side == "image"]


@pytest.mark.parametrize("side", SIDES)
def test_layers_without_a_gradient_are_refused(side: str) -> None:
    """Quantised layers give features, and gradients that are wrong without a word."""
    for change in (quantised, detached):
        model = clip_model()
        change(model, side)
        with pytest.raises(
            BackboneError, match=f"the {side} tower of 'toy' has a layer through which nothing"
        ):
            wrapped(model.eval())


@pytest.mark.parametrize("side", SIDES)
def test_towers_that_answer_differently_each_time_are_refused(side: str) -> None:
    model = clip_model()
    layer(model, side).register_forward_hook(lambda _layer, _args, out: out + torch.randn(1))
    with pytest.raises(BackboneError, match=f"the {side} tower of 'toy' gives other features each time"):
        wrapped(model)


def test_what_is_not_in_weights_is_in_the_fingerprint() -> None:
    """The same LoRA matrices with another scale; the same model with another activation, or other heads."""

    def fingerprint(scale: float) -> str:
        model = clip_model()
        lora(model, "text")
        for one in model.modules():
            if hasattr(one, "scaling"):
                one.scaling["default"] = scale
        return wrapped(model).fingerprint

    prints = [fingerprint(2.0), fingerprint(2.0), fingerprint(2.001)]
    prints += [wrapped(clip_model(**kind)).fingerprint for kind in ({}, {"hidden_act": "gelu"})]
    prints += [wrapped(clip_model(num_attention_heads=2)).fingerprint]
    prints += [wrapped(clip_model(layer_norm_eps=1e-3)).fingerprint]
    assert prints[0] == prints[1]
    assert len(set(prints)) == len(prints) - 1


def test_an_activation_is_told_from_another_by_files_of_now() -> None:
    quick, gelu = wrapped(clip_model()), wrapped(clip_model(hidden_act="gelu"))
    with pytest.raises(BackboneError, match="Different: text tower"):
        quick.check_fingerprint(gelu.fingerprint, "toy", "x.prompt")
    with pytest.raises(BackboneError, match="Different: text tower"):
        gelu.check_fingerprint(quick.fingerprint, "toy", "x.prompt")
    gelu.check_fingerprint(quick.fingerprint, "toy", "of a version that looked at weights alone", True)


def test_a_hook_put_on_later_takes_the_plain_path_while_it_is_there(clip_folder: Path) -> None:
    backbone = load_backbone(clip_folder, device="cpu")
    before, known = ours(backbone, "text"), backbone.fingerprint
    handles = [
        layer(backbone.model, side).register_forward_hook(lambda _l, _a, out: 1.5 * out) for side in SIDES
    ]
    torch.testing.assert_close(
        ours(backbone, "text"), official(backbone.model, "text", backbone), atol=1e-5, rtol=0
    )
    assert not backbone.text.exact_sharing
    assert all(
        a != b for a, b in zip(*(f.split("-")[::2] for f in (known, backbone.fingerprint)), strict=True)
    )
    assert len(backbone.notes((), NAMES)) == 2
    for handle in handles:
        handle.remove()
    assert torch.equal(ours(backbone, "text"), before)
    assert (backbone.fingerprint, backbone.notes((), NAMES)) == (known, ())


def test_a_hook_on_all_modules_of_the_process(clip_folder: Path) -> None:
    backbone = load_backbone(clip_folder, device="cpu")
    model = backbone.model  # the library's own from now on: loaded below a hook, its engines would stay off
    handle = nn.modules.module.register_module_forward_hook(
        lambda one, _args, out: 1.5 * out if type(one) is nn.Linear else None
    )
    try:
        torch.testing.assert_close(
            ours(backbone, "text"), official(model, "text", backbone), atol=1e-5, rtol=0
        )
    finally:
        handle.remove()
    assert backbone.text.exact_sharing


@pytest.mark.parametrize("change", [lora, subclass, quantised], ids=lambda change: change.__name__)
@pytest.mark.parametrize("side", SIDES)
def test_layers_replaced_later_are_refused(change: Change, side: str) -> None:
    backbone = wrapped(clip_model())
    change(backbone.model, side)
    with pytest.raises(BackboneError, match=f"the {side} tower was changed after.*wrap it again"):
        ours(backbone, side)


def test_what_transformers_leaves_behind_does_not_count(clip_folder: Path) -> None:
    """Its hooks for hidden states stay on the model, and only look."""
    backbone = load_backbone(clip_folder, device="cpu")
    known = backbone.fingerprint
    model: Any = backbone.model
    states = model.text_model(torch.tensor([[5, 6]]), output_hidden_states=True).hidden_states
    assert len(states) == 4
    assert any(one._forward_hooks for one in model.modules())
    assert backbone.text.exact_sharing
    assert backbone.fingerprint == known


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("change", ["hook", "weight norm", "lora"])
def test_open_clip(change: str, side: str) -> None:
    open_clip = pytest.importorskip("open_clip")
    model = shaken(open_clip.CLIP(**OPEN_CLIP), 1)
    model.visual.preprocess_cfg = {"size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    tokenizer = open_clip.SimpleTokenizer()
    blocks = (model.transformer if side == "text" else model.visual.transformer).resblocks
    if change == "hook":
        blocks[1].ln_1.register_forward_hook(lambda _layer, _args, out: 1.5 * out)
    elif change == "lora":
        peft = pytest.importorskip("peft")
        config = peft.LoraConfig(r=2, lora_alpha=8, target_modules=["c_fc"], init_lora_weights=False)
        peft.inject_adapter_in_model(config, blocks)
    else:
        parametrizations.weight_norm(blocks[1].mlp.c_fc)
        with torch.no_grad():
            blocks[1].mlp.c_fc.parametrizations.weight.original0.mul_(1.5)
    backbone = wrap_open_clip(model, tokenizer, "toy", CPU, torch.float32)
    with torch.no_grad():
        expected = model.encode_text(tokenizer([f"a photo of {name}." for name in NAMES]))
        torch.testing.assert_close(ours(backbone, "text"), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(ours(backbone, "image"), model.encode_image(pixels()), atol=1e-5, rtol=0)
    assert backbone.text.exact_sharing == (side == "image")
    assert backbone.images.has_tokens
    assert (backbone.images.engine is None) == (side == "image")


def test_methods_over_a_backbone_with_an_adapter(tmp_path: Path) -> None:
    """A prompt learned and saved over the plain path, and read again by the same model alone."""
    from promptlet import PromptClassifier
    from promptlet.methods import build_method

    model = clip_model()
    lora(model, "text")
    backbone, other = wrapped(model), wrapped(clip_model())
    features = torch.randn(4, 16, generator=torch.Generator().manual_seed(0)).numpy()
    classifier = PromptClassifier(backbone, epochs=1, cache=False).fit(features, ["dog", "cat"] * 2)
    classifier.save(tmp_path / "a.prompt")
    again = PromptClassifier.load(tmp_path / "a.prompt", backbone)
    assert (again.predict_proba(features) == classifier.predict_proba(features)).all()
    with pytest.raises(BackboneError, match="Different: text tower"):
        PromptClassifier.load(tmp_path / "a.prompt", other)
    assert "lora" in "".join(classifier.method_.notes())
    with pytest.raises(BackboneError, match=r"LoRA cannot be put into 'toy'.*lora"):
        build_method("clip_lora", backbone, ["dog", "cat"])
