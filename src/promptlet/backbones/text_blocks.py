"""Forward and backward of packed transformer blocks with frozen weights, written out by hand.

Because the weights are frozen, the backward pass needs only the gradient of the states: half of what a
training step normally computes, and little to remember. States are ``(b, P + R, d)``: ``b`` contexts, each
with its P shared prefix rows followed by R rows of class tokens in ``n`` tiles of T rows (R = n T). All rows
run together through the linear layers; only attention sees tiles. GELU is evaluated in one fused pass
(quick GELU as SiLU: ``u s(1.702 u) = silu(1.702 u) / 1.702``, with both factors folded into the products).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones.text_tower import Block, CausalTower, Linear, Norm

QUICK_GELU = 1.702
aten = torch.ops.aten


@dataclass(frozen=True)
class Layout:
    """How rows lie: P prefix rows, n tiles of T rows; ``mask`` (b n H, T, P + T), 0 or -inf."""

    prefix: int
    tiles: int
    tile: int
    heads: int
    mask: Tensor
    leaves: Tensor  # (L,) rows of the class tokens (counted from the first tile) that end a class

    @property
    def rows(self) -> int:
        return self.tiles * self.tile


@dataclass
class Attention:
    """What attention's backward needs: head-major operands and probabilities, tiles and prefix."""

    query: Tensor  # (b, n, H, T, d/H)
    key: Tensor  # (b, n, H, P + T, d/H)
    value: Tensor  # (b, n, H, P + T, d/H)
    probs: Tensor  # (b n H, T, P + T)
    prefix: tuple[Tensor, Tensor, Tensor, Tensor]  # query, key, value (b, H, P, d/H), probs (b, H, P, P)


@dataclass
class Saved:
    """What one block's backward needs."""

    inputs: Tensor
    norm1: tuple[Tensor, Tensor]
    attention: Attention
    middle: Tensor
    norm2: tuple[Tensor, Tensor]
    hidden: Tensor  # before the activation


def make_mask(visible: Tensor, prefix: int, repeats: int, heads: int, dtype: torch.dtype) -> Tensor:
    """Additive mask (repeats n H, T, P + T) from ``visible`` bool (n, T, T); the prefix is always seen."""
    n, tile, _ = visible.shape
    mask = torch.zeros(n, tile, prefix + tile, dtype=dtype, device=visible.device)
    mask[:, :, prefix:].masked_fill_(~visible, float("-inf"))
    return mask[None, :, None].expand(repeats, n, heads, tile, prefix + tile).reshape(-1, tile, prefix + tile)


def linear(layer: Linear, x: Tensor, scale: float = 1.0) -> Tensor:
    """``scale * (x W.T + b)`` for x (..., in), in x's dtype."""
    weight = layer.weight.to(x.dtype)
    flat = x.reshape(-1, x.shape[-1])
    if layer.bias is None:
        out = torch.mm(flat, weight.t())
        if scale != 1.0:
            out.mul_(scale)
    else:
        out = torch.addmm(layer.bias.to(x.dtype), flat, weight.t(), beta=scale, alpha=scale)
    return out.view(*x.shape[:-1], -1)


def linear_backward(layer: Linear, grad: Tensor) -> Tensor:
    """Gradient of the input of `linear` (scale 1), for grad (..., out)."""
    flat = grad.reshape(-1, grad.shape[-1])
    return torch.mm(flat, layer.weight.to(grad.dtype)).view(*grad.shape[:-1], -1)


def norm(layer: Norm, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Layer normalisation and its (mean, 1/std)."""
    out, mean, rstd = aten.native_layer_norm(
        x, (x.shape[-1],), layer.weight.to(x.dtype), layer.bias.to(x.dtype), layer.eps
    )
    return out, (mean, rstd)


def norm_backward(layer: Norm, grad: Tensor, x: Tensor, stats: tuple[Tensor, Tensor]) -> Tensor:
    """Gradient of the input of `norm`."""
    shape = (x.shape[-1],)
    result: Tensor = aten.native_layer_norm_backward(
        grad.to(x.dtype).contiguous(),
        x,
        shape,
        *stats,
        layer.weight.to(x.dtype),
        layer.bias.to(x.dtype),
        [True, False, False],
    )[0]
    return result


def activate(name: str, hidden: Tensor) -> Tensor:
    """Activation of ``hidden`` (for quick GELU: hidden is 1.702 u and the result 1.702 times too large)."""
    if name == "quick_gelu":
        return F.silu(hidden)
    return F.gelu(hidden, approximate="tanh" if name == "gelu_tanh" else "none")


def activate_backward(name: str, grad: Tensor, hidden: Tensor) -> Tensor:
    """Gradient of the pre-activation, in the scaling of `activate` (for quick GELU the factors cancel).

    ``grad`` may be overwritten: fresh memory costs more than the arithmetic."""
    if name == "quick_gelu":
        result: Tensor = aten.silu_backward.grad_input(grad, hidden, grad_input=grad)
    else:
        result = aten.gelu_backward(grad, hidden, approximate="tanh" if name == "gelu_tanh" else "none")
    return result


def perceptron(tower: CausalTower, block: Block, x: Tensor) -> tuple[Tensor, Tensor]:
    """The two-layer perceptron of normalised states ``x``; also its pre-activation."""
    quick = tower.activation == "quick_gelu"
    hidden = linear(block.up, x, QUICK_GELU if quick else 1.0)
    active = activate(tower.activation, hidden)
    if not quick:
        return linear(block.down, active), hidden
    flat = active.view(-1, active.shape[-1])
    weight = block.down.weight.to(x.dtype)
    if block.down.bias is None:
        out = torch.mm(flat, weight.t()).div_(QUICK_GELU)
    else:
        out = torch.addmm(block.down.bias.to(x.dtype), flat, weight.t(), alpha=1 / QUICK_GELU)
    return out.view_as(x), hidden


def _heads_first(x: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    """(b, P + R, d) -> prefix (b, H, P, d/H) and tiles (b, n, H, T, d/H), as views."""
    b, _, d = x.shape
    heads = x.view(b, -1, layout.heads, d // layout.heads)
    prefix = heads[:, : layout.prefix].transpose(1, 2)
    tiles = torch.unflatten(heads[:, layout.prefix :], 1, (layout.tiles, layout.tile)).transpose(2, 3)
    return prefix, tiles


def _rows_first(prefix: Tensor, tiles: Tensor, layout: Layout) -> Tensor:
    """The inverse of `_heads_first`: (b, P + R, d)."""
    b, heads, p, width = prefix.shape
    out = prefix.new_empty(b, p + layout.rows, heads, width)
    out[:, :p] = prefix.transpose(1, 2)
    torch.unflatten(out[:, p:], 1, (layout.tiles, layout.tile)).copy_(tiles.transpose(2, 3))
    return out.view(b, p + layout.rows, heads * width)


def _with_prefix(prefix: Tensor, tiles: Tensor) -> Tensor:
    """Keys or values that a tile sees: the shared prefix, then its own (b, n, H, P + T, d/H)."""
    b, n, heads, tile, width = tiles.shape
    p = prefix.shape[2]
    out = tiles.new_empty(b, n, heads, p + tile, width)
    out[..., :p, :] = prefix[:, None]
    out[..., p:, :] = tiles
    return out


def attend(query: Tensor, key: Tensor, value: Tensor, layout: Layout) -> tuple[Tensor, Attention]:
    """Causal attention of prefix and tiles for query, key, value (b, P + R, d); the result likewise."""
    scale = (query.shape[-1] // layout.heads) ** -0.5
    (query_p, query_t), (key_p, key_t), (value_p, value_t) = (
        _heads_first(x, layout) for x in (query, key, value)
    )
    scores = torch.matmul(query_p, key_p.transpose(-1, -2)).mul_(scale)
    above = torch.ones(layout.prefix, layout.prefix, dtype=torch.bool, device=query.device).triu(1)
    probs_p = scores.masked_fill_(above, float("-inf")).softmax(-1)
    out_p = torch.matmul(probs_p, value_p)

    query_t, keys, values = query_t.contiguous(), _with_prefix(key_p, key_t), _with_prefix(value_p, value_t)
    flat_query, flat_keys, flat_values = (x.flatten(0, 2) for x in (query_t, keys, values))
    scores = torch.baddbmm(layout.mask, flat_query, flat_keys.transpose(1, 2), alpha=scale)
    probs = torch.softmax(scores, -1)
    out_t = torch.bmm(probs, flat_values).view_as(query_t)
    saved = Attention(query_t, keys, values, probs, (query_p, key_p, value_p, probs_p))
    return _rows_first(out_p, out_t, layout), saved


def attend_backward(
    grad: Tensor, saved: Attention, layout: Layout, prefix_only: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value (b, P + R, d), or of their prefix rows (b, P, d) only."""
    scale = saved.query.shape[-1] ** -0.5
    p = layout.prefix
    grad_p, grad_t = _heads_first(grad, layout)
    query_p, key_p, value_p, probs_p = saved.prefix
    value_grad_p = torch.matmul(probs_p.transpose(-1, -2), grad_p)
    score_grad = _softmax_backward(torch.matmul(grad_p, value_p.transpose(-1, -2)), probs_p).mul_(scale)
    query_grad_p = torch.matmul(score_grad, key_p)
    key_grad_p = torch.matmul(score_grad.transpose(-1, -2), query_p)

    flat_grad = grad_t.flatten(0, 2).contiguous()
    keys, values, query = (x.flatten(0, 2) for x in (saved.key, saved.value, saved.query))
    value_grad = torch.bmm(saved.probs.transpose(1, 2), flat_grad).view_as(saved.value)
    score_grad = _softmax_backward(torch.bmm(flat_grad, values.transpose(1, 2)), saved.probs).mul_(scale)
    key_grad = torch.bmm(score_grad.transpose(1, 2), query).view_as(saved.key)
    key_grad_p += key_grad[..., :p, :].sum(1)
    value_grad_p += value_grad[..., :p, :].sum(1)
    if prefix_only:
        first = [x.transpose(1, 2).flatten(2) for x in (query_grad_p, key_grad_p, value_grad_p)]
        return first[0], first[1], first[2]
    query_grad = torch.bmm(score_grad, keys).view_as(saved.query)
    return (
        _rows_first(query_grad_p, query_grad, layout),
        _rows_first(key_grad_p, key_grad[..., p:, :], layout),
        _rows_first(value_grad_p, value_grad[..., p:, :], layout),
    )


def _softmax_backward(grad: Tensor, probs: Tensor) -> Tensor:
    result: Tensor = aten._softmax_backward_data(grad, probs, -1, probs.dtype)
    return result


def forward_block(
    tower: CausalTower, block: Block, x: Tensor, layout: Layout, dtype: torch.dtype, last: bool
) -> tuple[Tensor, Saved]:
    """One block; after the ``last`` one only leaves (b, L, d) remain."""
    normed, stats1 = norm(block.norm1, x)
    normed = normed.to(dtype)
    out, attention = attend(
        linear(block.query, normed), linear(block.key, normed), linear(block.value, normed), layout
    )
    inputs = x
    if last:
        out, x = out[:, layout.leaves + layout.prefix], x[:, layout.leaves + layout.prefix]
    middle = _add(x, linear(block.out, out))
    normed, stats2 = norm(block.norm2, middle)
    update, hidden = perceptron(tower, block, normed.to(dtype))
    return _add(middle, update), Saved(inputs, stats1, attention, middle, stats2, hidden)


def _add(states: Tensor, update: Tensor) -> Tensor:
    """``states + update`` in the dtype of the states, in the update's own memory where that is possible."""
    return update.add_(states) if update.dtype == states.dtype else states + update


def backward_block(
    tower: CausalTower,
    block: Block,
    saved: Saved,
    grad: Tensor,
    layout: Layout,
    dtype: torch.dtype,
    last: bool,
    prefix_only: bool,
) -> Tensor:
    """Gradient of the block's input (b, P + R, d), or of its prefix rows (b, P, d) only."""
    hidden_grad = activate_backward(
        tower.activation, linear_backward(block.down, grad.to(dtype)), saved.hidden
    )
    update = norm_backward(block.norm2, linear_backward(block.up, hidden_grad), saved.middle, saved.norm2)
    grad = update.add_(grad)
    out_grad = linear_backward(block.out, grad.to(dtype))
    if last:
        rows = layout.leaves + layout.prefix
        grad = _scatter_rows(grad, rows, layout)
        out_grad = _scatter_rows(out_grad, rows, layout)
    grads = attend_backward(out_grad, saved.attention, layout, prefix_only)
    layers = (block.query, block.key, block.value)
    inputs, stats = saved.inputs, saved.norm1
    if prefix_only:
        p = layout.prefix
        inputs, grad = inputs[:, :p].contiguous(), grad[:, :p]
        stats = (stats[0][:, :p].contiguous(), stats[1][:, :p].contiguous())
    normed_grad = sum_products(grads, layers)
    return norm_backward(block.norm1, normed_grad, inputs, stats).add_(grad)


def sum_products(grads: tuple[Tensor, ...], layers: tuple[Linear, ...]) -> Tensor:
    """``sum_i grads_i W_i`` (the input gradient of layers that read the same input), in one buffer."""
    flat = [grad.reshape(-1, grad.shape[-1]) for grad in grads]
    total = torch.mm(flat[0], layers[0].weight.to(flat[0].dtype))
    for grad, layer in zip(flat[1:], layers[1:], strict=True):
        total.addmm_(grad, layer.weight.to(grad.dtype))
    return total.view(*grads[0].shape[:-1], -1)


def _scatter_rows(grad: Tensor, rows: Tensor, layout: Layout) -> Tensor:
    out = grad.new_zeros(grad.shape[0], layout.prefix + layout.rows, grad.shape[2])
    return out.index_add_(1, rows, grad)
