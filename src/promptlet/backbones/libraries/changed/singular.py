"""Singular values of the weight matrices in the layers of CLIP's towers, learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import ref

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from promptlet.session import own_arithmetic

PLACES = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.out_proj",
    "fc1": "mlp.fc1",
    "fc2": "mlp.fc2",
}
WHAT, PACKED = "learned singular values", "packs queries, keys and values in one matrix"
"""For messages: what is put into a tower, and why others than transformers' cannot hold it."""


@dataclass(frozen=True)
class Factors:
    """U (m, k), s (k,) and V (k, n) of a weight (m, n), k the smaller of m and n: s float32, U and V in the
    weight's dtype; all where it is."""

    u: Tensor
    values: Tensor
    v: Tensor


_known: Any = WeakTensorKeyDictionary()
"""By weight: a reference to its factors while somebody holds them, so that many methods of one backbone hold
them once."""


class SingularLinear(nn.Module):
    """``U diag(s) V x + b``: a linear layer whose singular values s (k,), float32, learn alone."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.factors = factors(linear.weight)
        self.values = nn.Parameter(self.factors.values.clone())
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """x (..., n) to (..., m)."""
        inside = F.linear(x, self.factors.v)
        return F.linear(inside * self.values.to(inside.dtype), self.factors.u, self.bias)


def factors(weight: Tensor) -> Factors:
    """Those of a frozen weight, taken apart on the processor, so that a device changes nothing."""
    known = _known.get(weight)
    found: Factors | None = known() if known is not None else None
    if found is None:
        with own_arithmetic(), torch.no_grad():
            u, values, v = decomposed(weight.detach().float().cpu())
            u, v = (one.to(weight.device, weight.dtype) for one in (u, v))
            found = Factors(u, values.to(weight.device), v)
        _known[weight] = ref(found)
    return found


def decomposed(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The thin singular value decomposition of a matrix, contiguous."""
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    return u.contiguous(), values, v.contiguous()


def learn_singular_values(tower: Any) -> dict[str, nn.Parameter]:
    """Put a `SingularLinear` in the place of each matrix of the layers. They are named ``0.fc1``."""
    learned = {}
    for name, owner, attribute in list(_linears(tower)):
        linear = SingularLinear(getattr(owner, attribute))
        setattr(owner, attribute, linear)
        learned[name] = linear.values
    return learned


def merge_singular_values(tower: Any, own: Any, learned: Mapping[str, Tensor]) -> None:
    """Take what was learned into the weights of ``tower``, a copy of ``own``."""
    with torch.no_grad():
        for (name, owner, attribute), (_, source, _) in zip(_linears(tower), _linears(own), strict=True):
            parts = factors(getattr(source, attribute).weight)
            merged = parts.u.float() * learned[name] @ parts.v.float()
            getattr(owner, attribute).weight.copy_(merged)


def _linears(tower: Any) -> Iterator[tuple[str, Any, str]]:
    """Name, owner and attribute of each."""
    for i, layer in enumerate(tower.encoder.layers):
        for short, place in PLACES.items():
            room, attribute = place.split(".")
            yield f"{i}.{short}", getattr(layer, room), attribute
