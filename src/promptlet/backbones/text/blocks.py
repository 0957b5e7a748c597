"""Forward and backward of packed transformer blocks with frozen weights, written out by hand.

Because the weights are frozen, the backward pass needs only the gradient of the states: half of what a
training step normally computes, and little to remember. States are ``(b, P + R, d)``: ``b`` contexts, each
with its P shared prefix rows followed by R rows of class tokens. All rows run together through the linear
layers; only attention (`attention`) sees which class a row belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from promptlet.backbones.arithmetic.layers import Block
from promptlet.backbones.arithmetic.pointwise import (
    activate,
    activate_backward,
    activation_scale,
    norm,
    norm_backward,
)
from promptlet.backbones.arithmetic.products import linear, linear_backward, scaled_linear, sum_backward
from promptlet.backbones.text.attention import (
    Attention,
    Slots,
    attend,
    attend_backward,
    attend_backward_prefix,
)
from promptlet.backbones.text.tower import CausalTower


@dataclass(frozen=True)
class Layout:
    """Who sees whom: all rows, and in the last block only ``leaves`` (L,), the rows that end a class."""

    slots: Slots
    mask: Tensor  # of `Slots.mask`
    leaf_slots: Slots
    leaf_mask: Tensor
    leaves: Tensor  # counted from the first prefix row


@dataclass
class Saved:
    """What one block's backward needs."""

    inputs: Tensor
    norm1: tuple[Tensor, Tensor]
    attention: Attention
    middle: Tensor
    norm2: tuple[Tensor, Tensor]
    hidden: Tensor  # before the activation


def forward_block(
    tower: CausalTower, block: Block, x: Tensor, layout: Layout, dtype: torch.dtype, last: bool
) -> tuple[Tensor, Saved]:
    """One block; after the ``last`` one only leaves (b, L, d) remain."""
    inputs, (normed, stats1) = x, norm(block.norm1, x)
    normed = normed.to(dtype)
    slots, mask, asking = layout.slots, layout.mask, normed
    if last:
        slots, mask = layout.leaf_slots, layout.leaf_mask
        asking, x = normed[:, layout.leaves], x[:, layout.leaves]
    key, value = linear(block.key, normed), linear(block.value, normed)
    out, attention = attend(linear(block.query, asking), key, value, slots, mask)
    middle = _add(x, linear(block.out, out))
    scale = activation_scale(tower.activation)
    normed, stats2 = norm(block.norm2, middle, scale)
    hidden = scaled_linear(block.up, normed.to(dtype), scale)
    update = scaled_linear(block.down, activate(tower.activation, hidden), scale)
    return _add(middle, update, 1 / scale), Saved(inputs, stats1, attention, middle, stats2, hidden)


def _add(states: Tensor, update: Tensor, factor: float = 1.0) -> Tensor:
    """``states + factor * update`` in the dtype of the states, in the update's own memory where possible."""
    own = update if update.dtype == states.dtype else None
    return torch.add(states, update, alpha=factor, out=own)


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
    inputs, stats, p = saved.inputs, saved.norm1, layout.slots.prefix
    if last:
        query_grad, *grads = attend_backward(out_grad, saved.attention, layout.leaf_slots)
        normed_grad = sum_backward((block.key, block.value), tuple(grads))
        normed_grad.index_add_(1, layout.leaves, linear_backward(block.query, query_grad))
        rows = grad.new_zeros(inputs.shape)
        grad = rows.index_add_(1, layout.leaves, grad)
    else:
        backward = attend_backward_prefix if prefix_only else attend_backward
        all_grads = backward(out_grad, saved.attention, layout.slots)
        normed_grad = sum_backward((block.query, block.key, block.value), all_grads)
    if prefix_only:
        normed_grad, grad, inputs = normed_grad[:, :p], grad[:, :p], inputs[:, :p].contiguous()
        stats = (stats[0][:, :p].contiguous(), stats[1][:, :p].contiguous())
    return norm_backward(block.norm1, normed_grad, inputs, stats).add_(grad)
