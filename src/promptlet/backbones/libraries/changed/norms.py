"""Scales and shifts of the layer norms in CLIP's towers, learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IN_LAYERS = {"ln1": "layer_norm1", "ln2": "layer_norm2"}
AROUND = {"pre": "pre_layrnorm", "post": "post_layernorm", "final": "final_layer_norm"}
"""Before and behind the layers of the image tower, behind those of the text tower; named as transformers
names them."""
WHAT = "learned layer norms"


class LearnedNorm(nn.Module):
    """A layer norm with a scale and a shift of its own, float32, in the place of another."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.shape, self.eps, self.dtype = norm.normalized_shape, norm.eps, norm.weight.dtype
        self.weight = nn.Parameter(norm.weight.detach().float().clone())
        self.bias = nn.Parameter(norm.bias.detach().float().clone())

    def forward(self, x: Tensor) -> Tensor:
        """As the norm that it replaces, in that one's dtype."""
        weight, bias = self.weight.to(self.dtype), self.bias.to(self.dtype)
        return F.layer_norm(x, self.shape, weight, bias, self.eps)


def learn_norms(tower: Any, around: bool) -> dict[str, nn.Parameter]:
    """Put a `LearnedNorm` in the place of each norm of the layers, in place; ``around``: and of those before
    and behind the layers. They are named ``0.ln1.weight``, ``post.bias``."""
    learned = {}
    for name, owner, attribute in list(_norms(tower, around)):
        norm = LearnedNorm(getattr(owner, attribute))
        setattr(owner, attribute, norm)
        learned[f"{name}.weight"], learned[f"{name}.bias"] = norm.weight, norm.bias
    return learned


def merge_norms(tower: Any, learned: Mapping[str, Tensor], around: bool) -> None:
    """Take what was learned into the weights of ``tower``."""
    with torch.no_grad():
        for name, owner, attribute in _norms(tower, around):
            norm = getattr(owner, attribute)
            norm.weight.copy_(learned[f"{name}.weight"])
            norm.bias.copy_(learned[f"{name}.bias"])


def _norms(tower: Any, around: bool) -> Iterator[tuple[str, Any, str]]:
    """Name, owner and attribute of each."""
    for i, layer in enumerate(tower.encoder.layers):
        for short, attribute in IN_LAYERS.items():
            yield f"{i}.{short}", layer, attribute
    for short, attribute in AROUND.items():
        if around and hasattr(tower, attribute):
            yield short, tower, attribute
