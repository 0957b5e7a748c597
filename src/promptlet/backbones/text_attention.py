"""Attention of packed class tokens behind one shared prefix, forward and backward, written out by hand.

States are rows (b, M, d): ``b`` contexts, each with P prefix rows, then R rows of class tokens. Attention
works on tiles of T query slots, in which classes that share beginnings stand together; every tile sees the
prefix and its own rows, by an additive mask. The prefix's own queries fill tiles of their own at the front.
One gather brings rows into head-major slots, one brings them back: `Slots` holds the indices, in units of
(row, head) pairs, so that no other copy is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

aten = torch.ops.aten


@dataclass(frozen=True)
class Slots:
    """Where rows stand in tiles; n tiles of T query slots and P + T key slots, H heads.

    For one context (b = 1) or, by `repeated`, for b. queries (b n H T,), keys (b n H (P + T),): which
    (row, head) a slot takes. from_queries, from_keys (b M H,): which slot a (row, head) reads its result
    from; for keys, prefix rows must be summed over tiles instead. seen (n, T, P + T) bool. A slot without
    a row sees itself alone, and nothing reads it.
    """

    queries: Tensor
    keys: Tensor
    from_queries: Tensor
    from_keys: Tensor
    seen: Tensor
    prefix: int
    heads: int

    def repeated(self, b: int) -> Slots:
        """The slots of ``b`` contexts, one after the other."""
        if b == 1:
            return self
        slots, rows = len(self.queries), len(self.from_queries)
        return replace(
            self,
            queries=_repeat(self.queries, b, rows),
            keys=_repeat(self.keys, b, rows),
            from_queries=_repeat(self.from_queries, b, slots),
            from_keys=_repeat(self.from_keys, b, len(self.keys)),
        )

    def mask(self, dtype: torch.dtype, b: int) -> Tensor:
        """Additive mask (b n H, T, P + T) for ``b`` contexts: 0 where seen, else -inf."""
        n, tile, width = self.seen.shape
        mask = torch.zeros(self.seen.shape, dtype=dtype, device=self.seen.device)
        mask.masked_fill_(~self.seen, float("-inf"))
        return mask[None, :, None].expand(b, n, self.heads, tile, width).reshape(-1, tile, width)


def _repeat(index: Tensor, b: int, step: int) -> Tensor:
    return (index + step * torch.arange(b, device=index.device)[:, None]).flatten()


def make_slots(class_slots: Tensor, visible: Tensor, prefix: int, heads: int) -> Slots:
    """`Slots` from class tokens' row numbers (n, T), -1 where empty, and whom each sees: bool (n, T, T)."""
    n, tile = class_slots.shape
    device = class_slots.device
    front = -(-prefix // tile)
    rows = torch.full((front + n, tile), -1, dtype=torch.long, device=device)
    rows.view(-1)[:prefix] = torch.arange(prefix, device=device)
    rows[front:] = torch.where(class_slots >= 0, class_slots + prefix, -1)
    real = rows >= 0

    seen = torch.zeros(front + n, tile, prefix + tile, dtype=torch.bool, device=device)
    columns = torch.arange(prefix, device=device)
    seen[:front, :, :prefix] = rows[:front, :, None] >= columns
    seen[front:, :, :prefix] = real[front:, :, None]
    seen[front:, :, prefix:] = visible
    empty = torch.eye(tile, dtype=torch.bool, device=device) & ~real[:, :, None]
    seen[:, :, prefix:] |= empty

    taken = rows.clamp_min(0)
    key_rows = torch.cat([columns.expand(front + n, prefix), taken], dim=1)
    slot = torch.nonzero(real)
    where = torch.empty(int(real.sum()), 2, dtype=torch.long, device=device)
    where[rows[real]] = slot
    head = torch.arange(heads, device=device)
    block = where[:, :1] * heads + head  # (M, H): which (tile, head)
    return Slots(
        queries=(taken[:, None] * heads + head[:, None]).flatten(),
        keys=(key_rows[:, None] * heads + head[:, None]).flatten(),
        from_queries=(block * tile + where[:, 1:]).flatten(),
        from_keys=(block * (prefix + tile) + prefix + where[:, 1:]).flatten(),
        seen=seen,
        prefix=prefix,
        heads=heads,
    )


@dataclass
class Attention:
    """What the backward needs: operands in slots, (b n H, T or P + T, d/H), and probabilities."""

    query: Tensor
    key: Tensor
    value: Tensor
    probs: Tensor  # (b n H, T, P + T)


def attend(query: Tensor, key: Tensor, value: Tensor, slots: Slots, mask: Tensor) -> tuple[Tensor, Attention]:
    """Attention of query, key, value (b, M, d); the result likewise."""
    width = query.shape[-1] // slots.heads
    q = _take(query, slots.queries, width).view(-1, mask.shape[1], width)
    k, v = (_take(x, slots.keys, width).view(-1, mask.shape[2], width) for x in (key, value))
    probs = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=width**-0.5).softmax(-1)
    out = torch.bmm(probs, v)
    return _take(out, slots.from_queries, width).view_as(query), Attention(q, k, v, probs)


def attend_backward(grad: Tensor, saved: Attention, slots: Slots) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value (b, M, d) for the gradient of the result (b, M, d)."""
    query_grad, key_grad, value_grad = _slot_gradients(grad, saved, slots)
    rows = _take(query_grad, slots.from_queries, query_grad.shape[-1]).view_as(grad)
    keys, values = (_take(x, slots.from_keys, x.shape[-1]).view_as(grad) for x in (key_grad, value_grad))
    for rows_grad, slots_grad in ((keys, key_grad), (values, value_grad)):
        rows_grad[:, : slots.prefix] = _over_tiles(slots_grad, slots, grad.shape[0])
    return rows, keys, values


def attend_backward_prefix(grad: Tensor, saved: Attention, slots: Slots) -> tuple[Tensor, Tensor, Tensor]:
    """As `attend_backward`, of the prefix rows (b, P, d) only."""
    b, p = grad.shape[0], slots.prefix
    query_grad, key_grad, value_grad = _slot_gradients(grad, saved, slots)
    index = slots.from_queries.view(b, -1)[:, : p * slots.heads].flatten()
    query = _take(query_grad, index, query_grad.shape[-1]).view(b, p, -1)
    return query, _over_tiles(key_grad, slots, b), _over_tiles(value_grad, slots, b)


def _slot_gradients(grad: Tensor, saved: Attention, slots: Slots) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value in their slots, (b n H, T or P + T, d/H)."""
    width = saved.query.shape[-1]
    g = _take(grad, slots.queries, width).view_as(saved.query)
    score_grad = torch.bmm(g, saved.value.transpose(1, 2))
    score_grad = aten._softmax_backward_data(score_grad, saved.probs, -1, score_grad.dtype).mul_(width**-0.5)
    return (
        torch.bmm(score_grad, saved.key),
        torch.bmm(score_grad.transpose(1, 2), saved.query),
        torch.bmm(saved.probs.transpose(1, 2), g),
    )


def _take(x: Tensor, index: Tensor, width: int) -> Tensor:
    """Pieces of ``width`` numbers of x: (len(index), width)."""
    return x.reshape(-1, width).index_select(0, index)


def _over_tiles(grad: Tensor, slots: Slots, b: int) -> Tensor:
    """Gradients of the prefix's keys, summed over the tiles that see them: (b, P, d)."""
    width, p = grad.shape[-1], slots.prefix
    shared = grad.view(b, -1, slots.heads, grad.shape[1], width)[..., :p, :].sum(1)  # (b, H, P, d/H)
    return shared.transpose(1, 2).reshape(b, p, slots.heads * width)
