"""Copies of the towers of transformers' CLIP in which something learns.

The backbone stays as it is: a changed tower is a copy of its structure alone, which reads the very same
weights wherever nothing was put in their place.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.arithmetic.precision import library_precision
from promptlet.backbones.backbone import Backbone
from promptlet.backbones.plain import why_not_plain
from promptlet.errors import BackboneError

TEXT, IMAGE = "text", "image"
SIDES = {TEXT: ("text_model", "clip_text_model"), IMAGE: ("vision_model", "clip_vision_model")}
"""Where transformers keeps each tower, and what it calls the kind that can be changed."""

Change = Callable[[Any], dict[str, nn.Parameter]]
"""Changes a tower in place; what it learns, by names such as ``0.q.A``."""


@dataclass(frozen=True)
class ChangedTower:
    """A tower in which something learns. ``learned``: by names such as ``0.q.A`` (layer, place), float32.
    ``encode``: its inputs to features (B, D), float32, not normalised."""

    learned: dict[str, nn.Parameter]
    encode: Callable[[Tensor], Tensor]


def changed_text_tower(backbone: Backbone, change: Change, what: str, packed: str = "") -> ChangedTower:
    """The text tower with a change; it reads token ids (C, L). what, packed: as in `clip_tower`."""
    tower = _structure_of(clip_tower(backbone, TEXT, what, packed))
    learned = change(tower)
    projection: Any = backbone.model.text_projection

    def encode(ids: Tensor) -> Tensor:
        with library_precision(backbone.device, backbone.dtype, backbone.text.products):
            features: Tensor = projection(tower(input_ids=ids).pooler_output)
        return features.float()

    return ChangedTower(learned, encode)


def changed_image_tower(backbone: Backbone, change: Change, what: str, packed: str = "") -> ChangedTower:
    """The image tower with a change; it reads pixel values (B, 3, H, W). what, packed: as in `clip_tower`."""
    tower = _structure_of(clip_tower(backbone, IMAGE, what, packed))
    learned = change(tower)
    projection: Any = backbone.model.visual_projection
    device, dtype = backbone.device, backbone.dtype

    def encode(pixels: Tensor) -> Tensor:
        pixels = pixels.to(device, dtype, memory_format=torch.channels_last)
        with library_precision(device, dtype, backbone.images.products):
            features: Tensor = projection(tower(pixel_values=pixels).pooler_output)
        return features.float()

    return ChangedTower(learned, encode)


def merged_image_tower(backbone: Backbone, merge: Callable[[Any, Any], None], what: str) -> nn.Module:
    """A copy of the image tower whose weights ``merge(copy, tower)`` changes in place, as a module: pixel
    values (B, 3, H, W) to features (B, D), not normalised."""
    own = clip_tower(backbone, IMAGE, what)
    tower = copy.deepcopy(own)
    merge(tower, own)
    projection: Any = backbone.model.visual_projection
    return _Projected(tower, projection)


class _Projected(nn.Module):
    """A tower of transformers, and the last step to features."""

    def __init__(self, tower: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.tower, self.projection = tower, projection

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) to features (B, D)."""
        features: Tensor = self.projection(self.tower(pixel_values=pixels).pooler_output)
        return features


def _structure_of(module: Any) -> Any:
    """A copy of the modules that shares every parameter and buffer with them."""
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, shared)


def clip_tower(backbone: Backbone, side: str, what: str, packed: str = "") -> Any:
    """A tower of transformers' CLIP. what: is to be put into it, for messages; packed: why other frameworks
    cannot hold it. Raises BackboneError for other kinds."""
    refused = f"{what} cannot be put into {backbone.name!r}"
    if backbone.framework != "transformers":
        why = packed or "names its layers otherwise"
        raise BackboneError(f"{refused}: {backbone.framework} {why}. {_advice()}")
    name, kind = SIDES[side]
    tower: Any = getattr(backbone.model, name)
    tower = getattr(tower, name, tower)  # older transformers wrap it once more
    if tower.config.model_type != kind:
        raise BackboneError(
            f"{refused}: its {side} tower is of kind {type(tower).__name__}, not CLIP's. {_advice()}"
        )
    odd = why_not_plain([tower])
    if odd:
        raise BackboneError(
            f"{refused}: its {side} tower is not of plain layers ({odd}). "
            "Merge what is on it into the weights first; prompt methods such as rlp work with it as it is"
        )
    return tower


def _advice() -> str:
    return (
        "That is for CLIP models of transformers, such as openai/clip-vit-base-patch16; prompt methods "
        "such as rlp and coop work with every backbone."
    )
