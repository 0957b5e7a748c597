"""A causal text tower as plain data: references to the library model's own parameters, no copies.

The adapters fill these records from transformers or open_clip; `text_blocks` computes with them.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

ACTIVATIONS = ("quick_gelu", "gelu", "gelu_tanh")


@dataclass(frozen=True)
class Linear:
    """``y = x @ weight.T + bias``; weight (out, in), bias (out,) or None."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class Norm:
    """Layer normalisation over the last axis; weight (d,), bias (d,)."""

    weight: Tensor
    bias: Tensor
    eps: float


@dataclass(frozen=True)
class Block:
    """One pre-norm transformer layer: attention, then a two-layer perceptron, each added to its input."""

    norm1: Norm
    query: Linear
    key: Linear
    value: Linear
    out: Linear
    norm2: Norm
    up: Linear
    down: Linear


@dataclass(frozen=True)
class CausalTower:
    """A causal text tower with end-of-text pooling, for which prefix sharing is exact.

    token_embedding (vocabulary, d), position_embedding (context length, d), projection d -> D.
    """

    token_embedding: Tensor
    position_embedding: Tensor
    blocks: tuple[Block, ...]
    final_norm: Norm
    projection: Linear
    heads: int
    activation: str

    @property
    def dim(self) -> int:
        """Width d of the token states."""
        return int(self.token_embedding.shape[1])
