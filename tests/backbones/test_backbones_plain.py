"""Layers that are not plain take the plain path, or are refused: engines never read past them."""

from __future__ import annotations

import copy
import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import OPEN_CLIP, SIGLIP_PIXELS, clip_model, clip_tokenizer, save, shaken
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from promptlet.backbones import Backbone, agreement, load_backbone
from promptlet.backbones.image.preprocess import ImageSpec
from promptlet.backbones.libraries.open_clip import wrap_open_clip
from promptlet.backbones.libraries.transformers import wrap_transformers
from promptlet.data.cache import agreed
from promptlet.errors import BackboneError

CPU = torch.device("cpu")
NAMES = ["dog", "a cat", "the photo of the dog"]
SPEC = ImageSpec("exact", (32, 32), None, 3, (0.5,) * 3, (0.5,) * 3)

SIDES = ("text", "image")
Change = Callable[[Any, str], None]


class Doubled(nn.Linear):
    """A layer of somebody's own."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Masked(nn.Module):
    """A parametrisation."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * (weight > 0)


def tower(model: Any, side: str) -> Any:
    """The tower of a transformers' CLIP."""
    inner = model.text_model if side == "text" else model.vision_model
    return getattr(inner, f"{'text' if side == 'text' else 'vision'}_model", inner)


def layer(model: Any, side: str) -> Any:
    """A linear layer inside it."""
    return tower(model, side).encoder.layers[1].mlp.fc1


def lora(model: Any, side: str) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "fc1"], init_lora_weights=False)
    torch.manual_seed(0)
    peft.inject_adapter_in_model(config, tower(model, side))


def subclass(model: Any, side: str) -> None:
    layer(model, side).__class__ = Doubled


def subclass_of_norm(model: Any, side: str) -> None:
    class Shifted(nn.LayerNorm):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 0.5

    tower(model, side).encoder.layers[0].layer_norm1.__class__ = Shifted


def parametrised(model: Any, side: str) -> None:
    parametrize.register_parametrization(layer(model, side), "weight", Masked())


def weight_norm(model: Any, side: str) -> None:
    parametrizations.weight_norm(layer(model, side))
    with torch.no_grad():
        layer(model, side).parametrizations.weight.original0.mul_(1.5)


def spectral_norm(model: Any, side: str) -> None:
    parametrizations.spectral_norm(layer(model, side))


def pruned(model: Any, side: str) -> None:
    prune.l1_unstructured(layer(model, side), "weight", amount=0.5)


def hook(model: Any, side: str) -> None:
    layer(model, side).register_forward_hook(lambda _layer, _args, out: 1.5 * out)


def pre_hook(model: Any, side: str) -> None:
    layer(model, side).register_forward_pre_hook(lambda _layer, args: (1.5 * args[0],))


def hook_on_embeddings(model: Any, side: str) -> None:
    tower(model, side).embeddings.register_forward_hook(
        lambda _layer, _args, out: out * torch.linspace(0, 2, 32)
    )


def hook_on_tower(model: Any, side: str) -> None:
    def changed(_layer: Any, _args: Any, out: Any) -> Any:
        out.pooler_output = out.pooler_output + 0.5
        return out

    tower(model, side).register_forward_hook(changed)


def forward_of_its_own(model: Any, side: str) -> None:
    one = layer(model, side)
    own = one.forward
    one.forward = lambda x: own(x) * 1.5


def quantised(model: Any, side: str) -> None:
    mlp = tower(model, side).encoder.layers[1].mlp
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlp.fc1 = torch.ao.quantization.quantize_dynamic(nn.Sequential(mlp.fc1), {nn.Linear})[0]


def detached(model: Any, side: str) -> None:
    layer(model, side).register_forward_hook(lambda _layer, _args, out: out.detach())


def other_activation(model: Any, side: str) -> None:
    """Nothing but the comparison sees it: the configuration still says quick GELU."""
    tower(model, side).encoder.layers[1].mlp.activation_fn = nn.GELU()


def other_scale(model: Any, side: str) -> None:
    """Nothing but the comparison sees it."""
    tower(model, side).encoder.layers[1].self_attn.scale *= 2


def no_norm(model: Any, side: str) -> None:
    """A plain layer of PyTorch, but not the one that has its place there."""
    tower(model, side).encoder.layers[1].layer_norm2 = nn.Identity()


def norm_of_another_kind(model: Any, side: str) -> None:
    tower(model, side).encoder.layers[1].layer_norm2 = nn.RMSNorm(32)


def two_layers_for_one(model: Any, side: str) -> None:
    mlp = tower(model, side).encoder.layers[1].mlp
    mlp.fc1 = nn.Sequential(mlp.fc1, nn.Tanh())


CHANGES = [no_norm, norm_of_another_kind, two_layers_for_one]
CHANGES += [
    lora,
    subclass,
    subclass_of_norm,
    parametrised,
    weight_norm,
    spectral_norm,
    pruned,
    hook,
    pre_hook,
]
CHANGES += [hook_on_embeddings, hook_on_tower, forward_of_its_own, other_activation, other_scale]


def wrapped(model: Any) -> Backbone:
    backbone = wrap_transformers(model, clip_tokenizer(), SPEC, "toy", CPU, torch.float32)
    backbone.check()
    return backbone


def pixels() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))


def official(model: Any, side: str, backbone: Backbone) -> Tensor:
    """Features as transformers gives them, without a word of ours."""
    with torch.no_grad():
        if side == "text":
            texts = [f"a photo of {name}." for name in NAMES]
            inputs = clip_tokenizer()(texts, padding=True, return_tensors="pt")
            return model.text_projection(model.text_model(**inputs).pooler_output)
        return model.visual_projection(model.vision_model(pixel_values=pixels()).pooler_output)


def ours(backbone: Backbone, side: str) -> Tensor:
    if side == "text":
        return backbone.text.encode(backbone.text.embed_words("a photo of"), NAMES)
    return backbone.images.encode(pixels())


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
    gelu.check_fingerprint(quick.fingerprint, "toy", "a file of a version that looked at weights alone")


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
    handle = nn.modules.module.register_module_forward_hook(
        lambda one, _args, out: 1.5 * out if type(one) is nn.Linear else None
    )
    try:
        torch.testing.assert_close(
            ours(backbone, "text"), official(backbone.model, "text", backbone), atol=1e-5, rtol=0
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


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of PEFT
def test_an_adapter_beside_the_model_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    """With PEFT it would go into the model without a word, without PEFT it would be passed over."""
    peft = pytest.importorskip("peft")
    folder = shutil.copytree(clip_folder, tmp_path / "adapted")
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    peft.get_peft_model(clip_model(), config).save_pretrained(folder)
    assert (folder / "adapter_config.json").is_file()
    with pytest.raises(BackboneError, match=r"an adapter of PEFT beside the model.*merge_and_unload"):
        load_backbone(folder, device="cpu")
    (folder / "config.json").unlink()  # then transformers would load the model that the adapter names
    with pytest.raises(BackboneError):
        load_backbone(folder, device="cpu")


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of PEFT
def test_a_merged_adapter_is_a_model_as_any(tmp_path: Path) -> None:
    """The advice works: the engine is used, and the features are those of the model with its adapter."""
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "fc1"], init_lora_weights=False)
    adapted = peft.get_peft_model(clip_model(), config).eval()
    over = wrapped(adapted.base_model.model)
    expected = [ours(over, side) for side in SIDES]
    folder = save(tmp_path, adapted.merge_and_unload(), clip_tokenizer(), SIGLIP_PIXELS)
    backbone = load_backbone(folder, device="cpu")
    assert backbone.text.exact_sharing
    assert not over.text.exact_sharing
    for side, features in zip(SIDES, expected, strict=True):
        torch.testing.assert_close(ours(backbone, side), features, atol=1e-4, rtol=0)


def test_quantised_folders_are_refused(clip_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "quantised")
    config = json.loads((folder / "config.json").read_text())
    for where in (config, config["text_config"]):
        where["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_8bit": True}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(BackboneError, match="has quantised weights"):
            load_backbone(folder, device="cpu")
        del where["quantization_config"]


@pytest.mark.parametrize(
    ("weight", "value", "said"),
    [
        ("text_model.final_layer_norm.weight", float("nan"), "final_layer_norm.weight goes from nan"),
        ("text_model.embeddings.token_embedding.weight", float("inf"), "to inf"),
        ("vision_model.encoder.layers.0.mlp.fc1.bias", -1e30, "goes from -1e.30"),
        ("visual_projection.weight", float("nan"), "nan"),
        ("logit_scale", float("nan"), "logit scale of 'toy' is nan"),
        ("logit_scale", 1000.0, "logit scale of 'toy' is inf"),
        ("logit_scale", -50.0, "expected 0.001 to 10000"),
    ],
)
def test_damaged_numbers_are_refused(weight: str, value: float, said: str) -> None:
    model = clip_model()
    names = {name.replace("text_model.text_model", "text_model"): p for name, p in model.named_parameters()}
    with torch.no_grad():
        names[weight].view(-1)[0] = value
    with pytest.raises(BackboneError, match=said):
        wrapped(model)


def test_a_wrapped_model_is_checked_when_it_is_used() -> None:
    """Again each time, until it is sound; what reads no weights does not ask."""
    model = clip_model()
    with torch.no_grad():
        model.text_projection.weight[0, 0] = float("nan")
    backbone = wrap_transformers(model, clip_tokenizer(), SPEC, "toy", CPU, torch.float32)
    assert backbone.text.embed_words("a photo").shape == (2, 32)
    uses = (lambda: ours(backbone, "text"), lambda: ours(backbone, "image"), lambda: backbone.fingerprint)
    for use in uses:
        with pytest.raises(BackboneError, match="are damaged"):
            use()
    with torch.no_grad():
        model.text_projection.weight[0, 0] = 0.5
    assert ours(backbone, "text").isfinite().all()


def test_a_hook_on_the_whole_model_is_refused() -> None:
    """No path calls it, so that it would be passed over."""
    model = clip_model()
    handle = model.register_forward_hook(lambda _model, _args, out: out)
    with pytest.raises(BackboneError, match="the whole CLIPModel has a hook or another forward"):
        wrapped(model)
    handle.remove()
    assert wrapped(model).text.exact_sharing


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mean": (float("nan"),) * 3}, "subtracts a mean of .nan"),
        ({"std": (0.5, 0.0, 0.5)}, "divides by .0.5, 0.0"),
        ({"std": (0.5, float("inf"), 0.5)}, "divides by"),
        ({"size": (100_000, 100_000)}, "reads images of 100000 x 100000 pixels"),
    ],
)
def test_preprocessing_that_is_not_sane_is_refused(changes: dict[str, Any], said: str) -> None:
    backbone = wrap_transformers(
        clip_model(), clip_tokenizer(), replace(SPEC, **changes), "toy", CPU, torch.float32
    )
    with pytest.raises(BackboneError, match=said):
        backbone.check()


def test_weights_of_nothing_are_refused() -> None:
    model = clip_model()
    with torch.no_grad():
        model.text_projection.weight.zero_()
    with pytest.raises(BackboneError, match="text tower of 'toy' gives features that are zero or not finite"):
        wrapped(model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_engines_agree_in_low_precision(dtype: torch.dtype) -> None:
    backbone = wrap_transformers(clip_model(), clip_tokenizer(), SPEC, "toy", CPU, dtype)
    assert backbone.text.exact_sharing
    assert backbone.images.engine is not None


def test_agreement_is_asked_once(clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one model, by this machine; a model that is another, or whose code is, is asked again."""
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path))
    asked: list[str] = []
    compare = agreement._compare
    monkeypatch.setattr(agreement, "_compare", lambda what, case: asked.append(what) or compare(what, case))

    def load() -> int:
        monkeypatch.setattr(agreement, "_agreed", set())
        before = len(asked)
        load_backbone(clip_folder, device="cpu")
        return len(asked) - before

    assert [load(), load()] == [2, 0]
    assert len((tmp_path / agreed.FILE_NAME).read_text().splitlines()) == 1
    wrapped(clip_model(seed=5))
    assert len(asked) == 4
    (tmp_path / agreed.FILE_NAME).write_bytes(b"\xff\x00 damaged")
    assert load() == 2
    (tmp_path / agreed.FILE_NAME).unlink()
    (tmp_path / agreed.FILE_NAME).mkdir()  # nothing can be written
    assert [load(), load()] == [2, 2]


def test_code_that_was_changed_is_asked_again(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.clip.modeling_clip import CLIPMLP

    load_backbone(clip_folder, device="cpu")

    def forward(self: Any, hidden_states: Tensor) -> Tensor:
        return 1.5 * self.fc2(self.activation_fn(self.fc1(hidden_states)))

    forward.__module__ = CLIPMLP.__module__  # as a decorator leaves it
    monkeypatch.setattr(CLIPMLP, "forward", forward)
    backbone = load_backbone(clip_folder, device="cpu")
    assert not backbone.text.exact_sharing
    assert "% off, for a reason not known" in "".join(backbone.notes((), NAMES))
    torch.testing.assert_close(
        ours(backbone, "text"), official(backbone.model, "text", backbone), atol=1e-5, rtol=0
    )
