"""Low-rank updates of queries, keys and values in CLIP's towers (LoRA, arXiv 2106.09685), made by PEFT.

The backbone stays as it is: an adapted tower is a copy of its structure alone, which reads the very same
weights, and in which each projection ``W x`` has become ``W x + scale * B A dropout(x)``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from promptlet import rng
from promptlet.backbones.arithmetic.precision import library_precision
from promptlet.backbones.backbone import Backbone
from promptlet.backbones.libraries.building import own_building
from promptlet.backbones.plain import why_not_plain
from promptlet.errors import BackboneError, MissingExtraError, OptionError

PROJECTIONS = {"q": "q_proj", "k": "k_proj", "v": "v_proj"}
SIDES = {"text": ("text_model", "clip_text_model"), "image": ("vision_model", "clip_vision_model")}
"""Where transformers keeps each tower, and what it calls the kind that can be adapted."""
ADAPTER = "default"


class StepDropout(nn.Module):
    """Dropout whose masks follow from the seed and the training step; torch's global generators have no part.

    One serves all layers: they draw one after the other. On one kind of device the same seed gives the same
    masks.
    """

    def __init__(self, p: float, seed: int, device: torch.device) -> None:
        super().__init__()
        self.p = p
        self.seed = seed
        self._draws = torch.Generator(device)
        self.begin_step(0)

    def extra_repr(self) -> str:
        return f"p={self.p}, seed={self.seed}"

    def begin_step(self, step: int) -> None:
        """From now on, the masks of this step."""
        parts = rng.words(f"lora/dropout/{step}", self.seed, 3)
        self._draws.manual_seed(sum(int(part) << 16 * i for i, part in enumerate(parts)))

    def forward(self, x: Tensor) -> Tensor:
        """``x``; in training, each number is left out with probability p and the others are scaled up."""
        if not self.training or self.p == 0:
            return x
        keep = torch.empty(x.shape, dtype=torch.bool, device=x.device)
        return x * keep.bernoulli_(1 - self.p, generator=self._draws) / (1 - self.p)


@dataclass(frozen=True)
class LoraTower:
    """A tower with low-rank updates. ``matrices``: by names such as ``0.q.A`` (layer, projection): A (r, d)
    and B (d, r), float32. ``encode``: its inputs to features (B, D), float32, not normalised."""

    matrices: dict[str, nn.Parameter]
    encode: Callable[[Tensor], Tensor]


def lora_text_tower(backbone: Backbone, r: int, alpha: float, dropout: nn.Module, seed: int) -> LoraTower:
    """The text tower with updates; it reads token ids (C, L)."""
    tower = _structure_of(_clip_tower(backbone, "text"))
    matrices = add_lora(tower, r, alpha, dropout, seed, "text")
    projection: Any = backbone.model.text_projection

    def encode(ids: Tensor) -> Tensor:
        with library_precision(backbone.device, backbone.dtype, backbone.text.products):
            features: Tensor = projection(tower(input_ids=ids).pooler_output)
        return features.float()

    return LoraTower(matrices, encode)


def lora_image_tower(backbone: Backbone, r: int, alpha: float, dropout: nn.Module, seed: int) -> LoraTower:
    """The image tower with updates; it reads pixel values (B, 3, H, W)."""
    tower = _structure_of(_clip_tower(backbone, "image"))
    matrices = add_lora(tower, r, alpha, dropout, seed, "image")
    projection: Any = backbone.model.visual_projection
    device, dtype = backbone.device, backbone.dtype

    def encode(pixels: Tensor) -> Tensor:
        pixels = pixels.to(device, dtype, memory_format=torch.channels_last)
        with library_precision(device, dtype, backbone.images.products):
            features: Tensor = projection(tower(pixel_values=pixels).pooler_output)
        return features.float()

    return LoraTower(matrices, encode)


def merged_image_tower(backbone: Backbone, matrices: Mapping[str, Tensor], scale: float) -> nn.Module:
    """The image tower whose weights have taken in the updates ``scale * B A``, as a module of its own: pixel
    values (B, 3, H, W) to features (B, D), not normalised."""
    tower = copy.deepcopy(_clip_tower(backbone, "image"))
    with torch.no_grad():
        for i, layer in enumerate(tower.encoder.layers):
            for short, name in PROJECTIONS.items():
                down, up = (matrices[f"{i}.{short}.{factor}"] for factor in "AB")
                weight = getattr(layer.self_attn, name).weight
                weight += (scale * up @ down).to(weight.dtype)
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


def add_lora(
    tower: Any, r: int, alpha: float, dropout: nn.Module, seed: int, side: str
) -> dict[str, nn.Parameter]:
    """Put updates of rank ``r``, times alpha / sqrt(r), into all attention layers of ``tower``, in place.

    A starts uniform within 1 / sqrt(d), as kaiming_uniform with a = sqrt(5) does, from the seed; B at zero.
    """
    peft = _import_peft()
    width = int(tower.config.hidden_size)
    if not 1 <= r <= width:
        raise OptionError(f"r={r} is outside 1..{width}, the width of the {side} tower")
    config = peft.LoraConfig(r=r, lora_alpha=alpha, use_rslora=True, target_modules=[*PROJECTIONS.values()])
    with own_building():  # PEFT's own start draws from the global generator
        peft.inject_adapter_in_model(config, tower, adapter_name=ADAPTER)
    matrices = {}
    for i, layer in enumerate(tower.encoder.layers):
        for short, name in PROJECTIONS.items():
            linear = getattr(layer.self_attn, name)
            linear.lora_dropout[ADAPTER] = dropout
            draw = rng.generator(f"lora/{side}/{i}/{short}", seed)
            start = {
                "A": _uniform(draw, (r, width)),
                "B": torch.zeros(width, r, dtype=torch.float32, device="cpu"),
            }
            for factor, parts in (("A", linear.lora_A), ("B", linear.lora_B)):
                matrix = nn.Parameter(start[factor].to(linear.weight.device))
                parts[ADAPTER].weight = matrices[f"{i}.{short}.{factor}"] = matrix
    return matrices


def _uniform(draw: Any, shape: tuple[int, int]) -> Tensor:
    bound = 1 / math.sqrt(shape[1])
    return torch.from_numpy(draw.uniform(-bound, bound, shape)).float()


def _structure_of(module: Any) -> Any:
    """A copy of the modules that shares every parameter and buffer with them."""
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, shared)


def _clip_tower(backbone: Backbone, side: str) -> Any:
    """A tower of transformers' CLIP. Raises BackboneError for other kinds."""
    if backbone.framework != "transformers":
        raise BackboneError(
            f"LoRA cannot be put into {backbone.name!r}: {backbone.framework} packs queries, keys and values "
            f"in one matrix. {_advice()}"
        )
    name, kind = SIDES[side]
    tower: Any = getattr(backbone.model, name)
    tower = getattr(tower, name, tower)  # older transformers wrap it once more
    if tower.config.model_type != kind:
        raise BackboneError(
            f"LoRA cannot be put into {backbone.name!r}: its {side} tower is a {type(tower).__name__}, not "
            f"CLIP's. {_advice()}"
        )
    odd = why_not_plain([tower])
    if odd:
        raise BackboneError(
            f"LoRA cannot be put into {backbone.name!r}: its {side} tower is not of plain layers ({odd}). "
            "Merge what is on it into the weights first; prompt methods such as rlp work with it as it is"
        )
    return tower


def _advice() -> str:
    return (
        "It goes into CLIP models of transformers, such as openai/clip-vit-base-patch16; prompt methods "
        "such as rlp and coop work with every backbone."
    )


def _import_peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError(
            "LoRA needs the optional package peft: pip install 'promptlet[lora]'"
        ) from error
    return peft
