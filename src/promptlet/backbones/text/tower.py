"""A causal text tower as plain data: references to the library model's own parameters, no copies.

The adapters fill these records from transformers or open_clip; `blocks` computes with them.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from promptlet.backbones.arithmetic.layers import Block, Linear, Norm


@dataclass(frozen=True)
class CausalTower:
    """A causal text tower with end-of-text pooling, for which prefix sharing is exact.

    token_embedding (vocabulary, d), position_embedding (context length, d), projection d -> D,
    activation: quick_gelu, gelu or gelu_tanh.
    """

    token_embedding: Tensor
    position_embedding: Tensor
    blocks: tuple[Block, ...]
    final_norm: Norm
    projection: Linear
    heads: int
    activation: str

    @property
    def products(self) -> tuple[Linear, ...]:
        """All that is multiplied with."""
        return (*(layer for block in self.blocks for layer in block.products), self.projection)

    @property
    def dim(self) -> int:
        """Width d of the token states."""
        return int(self.token_embedding.shape[1])
