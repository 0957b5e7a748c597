"""Transformer blocks of an image tower with frozen weights: only states have a gradient.

Image tokens are ``(b, N, d)``. Prompts are ``(n_ctx, d)``, the same for every image: where nothing reads
their states after the block, they only add keys and values, computed once for all images. GELU is evaluated
in one fused pass, with the scaling of `arithmetic.pointwise`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones.arithmetic.layers import Block, Linear
from promptlet.backbones.arithmetic.pointwise import activate, activation_scale, norm
from promptlet.backbones.arithmetic.products import linear_backward, scaled_linear

MOST_SCORES = 1 << 19
"""Of attention at once, where it is written out: 2 MiB in float32, which stay in the processor's cache."""


class _Product(torch.autograd.Function):
    """``x W.T + scale b`` with frozen weights: the backward pass needs nothing of the forward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Linear, scale: float) -> Tensor:
        ctx.layer = layer
        return scaled_linear(layer, x, scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return linear_backward(ctx.layer, grad), None, None


def product(layer: Linear, x: Tensor, scale: float = 1.0) -> Tensor:
    """`scaled_linear` with a gradient for x (..., in)."""
    if not torch.is_grad_enabled():
        return scaled_linear(layer, x, scale)
    result: Tensor = _Product.apply(x, layer, scale)  # type: ignore[no-untyped-call]
    return result


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Every query (b, Q, d) sees every key and value (b, K, d)."""
    q, k, v = (x.view(*x.shape[:2], heads, -1).transpose(1, 2) for x in (query, key, value))
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and not torch.is_grad_enabled():
        return _attend_by_products(q, k, v).transpose(1, 2).flatten(2)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _attend_by_products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(b, heads, Q, d/H) from the same and keys and values (b, heads, K, d/H), written out.

    In bfloat16 on a CPU this takes less than half of what torch's own attention does, whose products there
    are of few rows (measured with avx512_bf16). The softmax is in float32, which is faster, too.
    """
    b, heads, asking, width = q.shape
    q, k, v = (x.reshape(b * heads, -1, width) for x in (q, k, v))
    step = max(1, MOST_SCORES // (asking * k.shape[1]))
    parts = [_seen(*(x[at : at + step] for x in (q, k, v))) for at in range(0, b * heads, step)]
    return torch.cat(parts).view(b, heads, asking, width)


def _seen(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Of queries (n, Q, w) to keys and values (n, K, w)."""
    scale = query.shape[-1] ** -0.5
    scores = torch.baddbmm(query.new_zeros(1), query, key.transpose(1, 2), beta=0, alpha=scale)
    return torch.bmm(scores.float().softmax(-1).to(value.dtype), value)


def forward_block(
    block: Block,
    x: Tensor,
    prompts: Tensor | None,
    asking: int,
    heads: int,
    activation: str,
    dtype: torch.dtype,
) -> Tensor:
    """One block over x (b, N, d), beside ``prompts`` (n_ctx, d) if any: the first ``asking`` rows go on."""
    normed = norm(block.norm1, x)[0].to(dtype)
    key, value = product(block.key, normed), product(block.value, normed)
    if prompts is not None:
        beside = norm(block.norm1, prompts)[0].to(dtype)
        key, value = _with(key, product(block.key, beside)), _with(value, product(block.value, beside))
    x = x[:, :asking]
    seen = attend(product(block.query, normed[:, :asking]), key, value, heads)
    x = x + product(block.out, seen).to(x.dtype)
    scale = activation_scale(activation)
    hidden = product(block.up, norm(block.norm2, x, scale)[0].to(dtype), scale)
    update = product(block.down, activate(activation, hidden), scale)
    return torch.add(x, update.to(x.dtype), alpha=1 / scale)


def _with(rows: Tensor, shared: Tensor) -> Tensor:
    """``rows`` (b, N, d) followed by ``shared`` (n, d)."""
    return torch.cat([rows, shared.expand(rows.shape[0], *shared.shape)], dim=1)
