"""Low-rank updates of queries, keys and values in CLIP's towers (LoRA, arXiv 2106.09685), made by PEFT.

Each projection ``W x`` becomes ``W x + scale * B A dropout(x)``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from promptlet import rng
from promptlet.backbones.libraries.building import own_building
from promptlet.errors import MissingExtraError, OptionError

PROJECTIONS = {"q": "q_proj", "k": "k_proj", "v": "v_proj"}
WHAT, PACKED = "LoRA", "packs queries, keys and values in one matrix"
"""For messages: what is put into a tower, and why others than transformers' cannot hold it."""
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


def merge_lora(tower: Any, matrices: Mapping[str, Tensor], scale: float) -> None:
    """Take the updates ``scale * B A`` into the weights of ``tower``."""
    with torch.no_grad():
        for i, layer in enumerate(tower.encoder.layers):
            for short, name in PROJECTIONS.items():
                down, up = (matrices[f"{i}.{short}.{factor}"] for factor in "AB")
                weight = getattr(layer.self_attn, name).weight
                weight += (scale * up @ down).to(weight.dtype)


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


def _import_peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError(
            "LoRA needs the optional package peft: pip install 'promptlet[lora]'"
        ) from error
    return peft
