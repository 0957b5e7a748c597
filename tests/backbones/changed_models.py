"""Tiny models in which one tower was changed, and what transformers itself makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_models import clip_tokenizer
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from promptlet.backbones import Backbone
from promptlet.backbones.libraries.transformers import wrap_transformers
from promptlet.preprocessing.spec import ImageSpec

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
