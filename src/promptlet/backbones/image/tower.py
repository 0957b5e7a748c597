"""A class-token ViT as plain data: references to the library model's own parameters, no copies.

The adapters fill this record from transformers or open_clip; `blocks` computes with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from promptlet.backbones.arithmetic.layers import Block, Linear, Norm


@dataclass(frozen=True)
class ImageTower:
    """A vision transformer whose features are read from a class token in the first place.

    ``embed`` turns pixels (B, 3, H, W) into states (B, tokens, d), the class token first, positions added,
    before any normalisation. ``head`` turns the class token's normalised states (B, d) into features (B, D).
    """

    embed: Callable[[Tensor], Tensor]
    tokens: int
    pre_norm: Norm | None
    blocks: tuple[Block, ...]
    final_norm: Norm
    head: Callable[[Tensor], Tensor]
    heads: int
    activation: str

    @property
    def products(self) -> tuple[Linear, ...]:
        """All that is multiplied with between ``embed`` and ``head``."""
        return tuple(layer for block in self.blocks for layer in block.products)

    @property
    def dim(self) -> int:
        """Width d of the token states."""
        return int(self.final_norm.weight.shape[0])

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the weights, in which the states are kept."""
        return self.final_norm.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the tower lives."""
        return self.final_norm.weight.device
