"""Layers of either tower as plain data: references to the library model's own parameters, no copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


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


def linear_of(layer: Any) -> Linear:
    """Of a library's layer. Raises TypeError for one of another kind."""
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"{type(layer).__name__} in the place of a Linear")
    return Linear(layer.weight, layer.bias)


def norm_of(layer: Any) -> Norm:
    """Of a library's layer. Raises TypeError for one of another kind, or without weight and bias."""
    if not isinstance(layer, nn.LayerNorm) or layer.weight is None or layer.bias is None:
        raise TypeError(f"{type(layer).__name__} in the place of a LayerNorm with weight and bias")
    return Norm(layer.weight, layer.bias, float(layer.eps))
