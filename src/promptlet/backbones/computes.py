"""What a tower computes beside its weights: the part of its identity that no tensor shows.

Towers of the same weights differ in their activation, the eps of their norms, the width of a head, what they
pool. Where these are CLIP's own, nothing is told, so that fingerprints of such models stay what they were.
Of layers that are not plain, class and settings are told, and what the tower answers to a fixed input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from promptlet.backbones.plain import odd_layers

USUAL = {"activation": ["quick_gelu"], "eps": [1e-05], "heads": [], "pool": []}
USUAL_POOLS = ("tok", "argmax", "eos")
ACTIVATIONS = {
    "QuickGELU": "quick_gelu",
    "QuickGELUActivation": "quick_gelu",
    "GELUActivation": "gelu",
    "GELUTanh": "gelu_tanh",
    "PytorchGELUTanh": "gelu_tanh",
}
HEADS = (
    ("head_dim", "attention_head_size", "key_value_proj_dim"),
    ("num_heads", "num_attention_heads", "n_heads"),
)
"""What the libraries call the width of a head, and how many there are."""
POOLERS = {"MeanPooler": "mean", "MaxPooler": "max", "ClsPooler": "tok", "ClsLastHiddenStatePooler": "tok"}
"""Of open_clip, behind towers of transformers."""
WRITTEN_IN = ("torch.nn.modules.activation", "transformers.activations")
SHOWN = 16  # numbers of an answer
STEPS = 100  # to which they are rounded, of the largest: far above what machines differ by


def unusual_settings(modules: Iterable[nn.Module]) -> dict[str, list[Any]]:
    """Activation, eps, widths of heads and pooling where they are not CLIP's, in words of no library; nothing
    of towers without heads."""
    layers = [layer for module in modules for layer in module.modules()]
    heads = [sizes for layer in layers if (sizes := _head_sizes(layer))]
    if not heads:
        return {}
    found: dict[str, set[Any]] = {
        "activation": {_activation(layer) for layer in layers} - {""},
        "eps": {float(layer.eps) for layer in layers if isinstance(layer, nn.LayerNorm)},
        "heads": {width for width, states in heads if width != min(64, states // 4)},
        "pool": {pool for layer in layers for pool in _pools(layer)},
    }
    told = {name: sorted(values) for name, values in found.items()}
    return {name: values for name, values in told.items() if values != USUAL[name]}


def _head_sizes(layer: nn.Module) -> tuple[int, int] | None:
    """The width of a head and of all, of an attention layer."""
    width, heads = (
        next((value for name in names if (value := getattr(layer, name, None))), None) for names in HEADS
    )
    return (width, width * heads) if isinstance(width, int) and isinstance(heads, int) else None


def _activation(layer: nn.Module) -> str:
    kind = type(layer)
    if kind.__name__ in ACTIVATIONS:
        return ACTIVATIONS[kind.__name__]
    if isinstance(layer, nn.GELU):
        return "gelu_tanh" if layer.approximate == "tanh" else "gelu"
    is_one = kind.__module__ in WRITTEN_IN and not isinstance(layer, nn.MultiheadAttention)
    return kind.__name__ if is_one else ""


def _pools(layer: nn.Module) -> list[str]:
    """How a tower of open_clip reads its features; transformers has a class for each way."""
    own = vars(layer)
    pool = own.get("pool_type")
    pool = POOLERS.get(type(layer).__name__, pool)
    found = [pool] if isinstance(pool, str) and pool not in USUAL_POOLS else []
    return [*found, *(["norm after"] if own.get("final_ln_after_pool") else [])]


def settings_of_odd(modules: Iterable[nn.Module]) -> list[list[Any]]:
    """Class and plain attributes of each layer that is not plain."""
    return [
        [f"{type(layer).__module__}.{type(layer).__qualname__}", _settings(layer)]
        for _, layer in odd_layers(modules)
    ]


def _is_setting(name: str, value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(_is_setting("", one) for pair in value.items() for one in pair)
    if isinstance(value, list | tuple):
        return all(_is_setting("", one) for one in value)
    return name not in ("training",) and (value is None or isinstance(value, bool | int | float | str))


def answer(features: Tensor) -> list[int]:
    """Whole numbers for features (N, D), the same on every machine but for rare luck."""
    flat = features.detach().float().flatten(1)[:, :SHOWN].cpu()
    largest = flat.abs().max().clamp_min(1e-30)
    rounded: list[int] = (flat / largest * STEPS).round().flatten().int().tolist()
    return rounded


def states_of(modules: Sequence[nn.Module]) -> list[Any]:
    """Every layer's class and plain attributes, and the code of each class, as one version of the libraries
    has them."""
    layers = [layer for module in modules for layer in module.modules()]
    codes = {type(layer).__qualname__: getattr(type(layer).forward, "__code__", None) for layer in layers}
    told = sorted(
        (kind, hashlib.sha256(code.co_code).hexdigest() if code else "") for kind, code in codes.items()
    )
    return [told, [[type(layer).__qualname__, _settings(layer)] for layer in layers]]


def _settings(layer: nn.Module) -> list[list[str]]:
    return sorted([key, repr(value)] for key, value in vars(layer).items() if _is_setting(key, value))
