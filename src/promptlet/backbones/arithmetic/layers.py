"""Layers of either tower as plain data: references to the library model's own parameters, no copies."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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
