"""Layers of either tower as plain data: references to the library model's own parameters.

In the weights' own dtype nothing is copied. In another, on a CPU, each layer keeps one copy of its weight: to
cast it at every call takes as long as a product of a few dozen rows. A copy follows the weight: it is made
anew where it was edited, which torch counts (``_version``). Edits that it does not count, those of
``weight.data``, are seen by a `Sample`. Biases are small, and are cast at every call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

SAMPLED = 8
"""Rows, and columns, of each weight that `Sample` looks at."""
Stamp = tuple[int, int]
"""Where numbers are and how often they were edited, as far as torch counts it."""


@dataclass(frozen=True)
class Linear:
    """``y = x @ weight.T + bias``; weight (out, in), bias (out,) or None."""

    weight: Tensor
    bias: Tensor | None
    _copies: dict[torch.dtype, tuple[Stamp, Tensor]] = field(default_factory=dict, repr=False, compare=False)

    def read(self, dtype: torch.dtype) -> Tensor:
        """The weight in ``dtype``."""
        weight = self.weight
        if weight.dtype == dtype or weight.device.type != "cpu" or weight.is_inference():
            return weight.to(dtype)
        stamp = weight.data_ptr(), weight._version
        found = self._copies.get(dtype)
        if found is None or found[0] != stamp:
            with torch.inference_mode(False), torch.no_grad():  # made while predicting, for training too
                found = stamp, weight.to(dtype)
            self._copies[dtype] = found
        return found[1]

    def forget(self) -> None:
        """Copies are made anew when they are read."""
        self._copies.clear()


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

    @property
    def products(self) -> tuple[Linear, ...]:
        """All that is multiplied with."""
        return self.query, self.key, self.value, self.out, self.up, self.down


class Sample:
    """Some numbers of each layer's weights: whether they are still what they were.

    It sees what is done to a weight as a whole and torch does not count, such as ``weight.data.mul_(2)``. One
    number that is written through ``weight.data`` it may miss.
    """

    def __init__(self, layers: Sequence[Linear]) -> None:
        self.layers = layers
        self._seen: Tensor | None = None

    def look(self) -> None:
        """Copies of weights that were changed are forgotten."""
        with torch.inference_mode(False), torch.no_grad():
            now = torch.cat([_some(layer.weight) for layer in self.layers])
            if self._seen is not None and not torch.equal(self._seen, now):
                for layer in self.layers:
                    layer.forget()
            self._seen = now


def _some(weight: Tensor) -> Tensor:
    """Numbers all over a matrix: more than `SAMPLED` rows and columns of it, flattened."""
    rows, columns = (max(1, size // SAMPLED) for size in weight.shape)
    return weight[::rows, ::columns].flatten()


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
