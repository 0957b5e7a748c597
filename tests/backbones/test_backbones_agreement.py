"""Adapters beside a model, damaged numbers, and the comparison of engine and plain path."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from changed_models import (
    CPU,
    NAMES,
    SIDES,
    SPEC,
    lora,
    official,
    ours,
    wrapped,
)
from sessions import products
from tiny_models import SIGLIP_PIXELS, clip_model, clip_tokenizer, save
from torch import Tensor

from promptlet.backbones import agreement, load_backbone
from promptlet.backbones.libraries.transformers import load_transformers, wrap_transformers
from promptlet.data.cache import agreed
from promptlet.errors import BackboneError


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of PEFT
@pytest.mark.slow
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
        ({"size": (100_000, 100_000)}, "100000 ?x ?100000"),
    ],
)
def test_preprocessing_that_is_not_sane_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BackboneError, match=said):
        wrap_transformers(
            clip_model(), clip_tokenizer(), replace(SPEC, **changes), "toy", CPU, torch.float32
        ).check()


def test_weights_of_nothing_are_refused() -> None:
    model = clip_model()
    with torch.no_grad():
        model.text_projection.weight.zero_()
    with pytest.raises(BackboneError, match="text tower of 'toy' gives features that are zero or not finite"):
        wrapped(model)


def test_models_are_checked_inside_inference_mode() -> None:
    """Where a session has switched gradients off, they can be asked for all the same."""
    model = clip_model()
    lora(model, "text")
    with torch.inference_mode():
        backbone = wrapped(model)
    assert "lora" in "".join(backbone.notes((), NAMES))


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

    with products("medium"):  # in which more may differ
        assert [load(), load()] == [2, 0]
    (tmp_path / agreed.FILE_NAME).unlink()
    assert [load(), load()] == [2, 0]
    assert len((tmp_path / agreed.FILE_NAME).read_text().splitlines()) == 1
    wrapped(clip_model(seed=5))
    assert len(asked) == 6
    (tmp_path / agreed.FILE_NAME).write_bytes(b"\xff\x00 damaged")
    assert load() == 2
    (tmp_path / agreed.FILE_NAME).unlink()
    (tmp_path / agreed.FILE_NAME).mkdir()  # nothing can be written
    assert [load(), load()] == [2, 2]


def test_code_that_was_changed_is_asked_again(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.clip.modeling_clip import CLIPMLP

    load_transformers(str(clip_folder), CPU, torch.float32)

    def forward(self: Any, hidden_states: Tensor) -> Tensor:
        return 1.5 * self.fc2(self.activation_fn(self.fc1(hidden_states)))

    forward.__module__ = CLIPMLP.__module__  # as a decorator leaves it
    monkeypatch.setattr(CLIPMLP, "forward", forward)
    backbone = load_transformers(str(clip_folder), CPU, torch.float32)
    assert not backbone.text.exact_sharing
    assert "% off, for a reason not known" in "".join(backbone.notes((), NAMES))
    torch.testing.assert_close(
        ours(backbone, "text"), official(backbone.model, "text", backbone), atol=1e-5, rtol=0
    )
