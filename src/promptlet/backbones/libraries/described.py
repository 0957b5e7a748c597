"""The models that open_clip configurations describe: which may be built, and how large they may be."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from promptlet.backbones.libraries.built import most_numbers
from promptlet.backbones.libraries.no_code import foreign_code
from promptlet.errors import BackboneError

TOKENIZER_OPTIONS = ("clean", "strip_sep_token", "language", "reduction_mask")
"""What open_clip's own tokenizers take; whatever else stands there goes to the loaders of transformers."""
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_described(config: Mapping[str, Any], weights: int, source: str) -> None:
    """Raise BackboneError for a model (``model_cfg``) that would load parts from elsewhere, that Promptlet
    does not know, or that has more numbers than ``weights`` bytes hold."""
    model = config.get("model_cfg")
    text, eyes = (_part(model, side, source) for side in ("text_cfg", "vision_cfg"))
    check_text(text, source)
    tower = eyes.get("timm_model_name")
    if tower is not None and not (isinstance(tower, str) and PLAIN_NAME.fullmatch(tower)):
        raise BackboneError(
            f"{source!r}: timm_model_name is {str(tower)[:80]!r}; the name of an image tower of timm is "
            "expected, which leads to no other place"
        )
    if not tower:
        _check_first_tensors(eyes, _number(model, "embed_dim", 512), weights, source)


def _part(model: Any, side: str, source: str) -> dict[str, Any]:
    part = model.get(side) if isinstance(model, dict) else None
    if not isinstance(part, dict):
        raise BackboneError(f"{source!r}: open_clip_config.json has no object model_cfg.{side}")
    return part


def check_text(text: Mapping[str, Any], source: str) -> None:
    """Raise BackboneError for options of a tokenizer that go elsewhere."""
    options = text.get("tokenizer_kwargs") or {}
    strange = [name for name in options if name not in TOKENIZER_OPTIONS]
    if "trust_remote_code" in strange:
        raise foreign_code(source)
    if strange or not isinstance(options, dict):
        raise BackboneError(
            f"{source!r}: tokenizer_kwargs has {strange or options}; allowed: {', '.join(TOKENIZER_OPTIONS)}"
        )


def _check_first_tensors(eyes: Mapping[str, Any], embed: int, weights: int, source: str) -> None:
    """open_clip fills a few tensors with random numbers before torch counts them."""
    width, layers = _number(eyes, "width", 768), eyes.get("layers")
    patch = 32 if isinstance(layers, list) else _number(eyes, "patch_size", 16)
    side = eyes.get("image_size", 224)
    sides = side if isinstance(side, list) else [side, side]
    grid = math.prod(int(one) // patch if isinstance(one, int) else 1 for one in sides[:2]) + 1
    width = width * 32 if isinstance(layers, list) else width
    largest = width * max(grid, embed, _number(eyes, "attn_pooler_queries", 256))
    if largest > most_numbers(weights):
        raise BackboneError(
            f"{source!r}: open_clip_config.json asks for an image tower with a tensor of {largest:,} "
            f"numbers, and the weights have {weights:,} bytes: they do not fit. Copy the model again."
        )


def _number(part: Any, name: str, absent: int) -> int:
    value = part.get(name, absent)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else absent
