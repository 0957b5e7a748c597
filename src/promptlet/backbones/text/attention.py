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
    """Where rows stand in tiles: n tiles of T query slots and K key slots (first the prefix's P), H heads.

    For one context (b = 1) or, by `repeated`, for b. Of M key rows, Q (all, or those that end a class) ask.
    queries (b n H T,), keys (b n H K,): which (row, head) a slot takes. from_queries (b Q H,), from_keys
    (b M H,): which slot a (row, head) reads its result from; for keys, prefix rows must be summed over tiles
    instead. seen (n, T, K) bool. A query slot without a row sees one key slot that nothing reads.
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
        return replace(
            self,
            queries=_repeat(self.queries, b, len(self.from_queries)),
            keys=_repeat(self.keys, b, len(self.from_keys)),
            from_queries=_repeat(self.from_queries, b, len(self.queries)),
            from_keys=_repeat(self.from_keys, b, len(self.keys)),
        )

    def mask(self, dtype: torch.dtype, b: int) -> Tensor:
        """Additive mask (b n H, T, K) for ``b`` contexts: 0 where seen, else -inf."""
        n, tile, width = self.seen.shape
        mask = torch.zeros(self.seen.shape, dtype=dtype, device=self.seen.device)
        mask.masked_fill_(~self.seen, float("-inf"))
        return mask[None, :, None].expand(b, n, self.heads, tile, width).reshape(-1, tile, width)


def _repeat(index: Tensor, b: int, step: int) -> Tensor:
    return (index + step * torch.arange(b, dtype=torch.int64, device=index.device)[:, None]).flatten()


def make_slots(class_slots: Tensor, visible: Tensor, prefix: int, heads: int) -> Slots:
    """Every row asks. ``class_slots`` (n, T): class tokens' row numbers, -1 where empty; ``visible`` bool
    (n, T, T): whom each sees. Key slots: the prefix's P, then those of the tile itself."""
    n, tile = class_slots.shape
    front = -(-prefix // tile)
    rows = class_slots.new_full((front + n, tile), -1)
    rows.view(-1)[:prefix] = torch.arange(prefix, dtype=torch.int64, device=rows.device)
    rows[front:] = torch.where(class_slots >= 0, class_slots + prefix, -1)
    real = rows >= 0
    columns = torch.arange(prefix, dtype=torch.int64, device=rows.device)
    seen = torch.zeros(front + n, tile, prefix + tile, dtype=torch.bool, device=rows.device)
    seen[:front, :, :prefix] = rows[:front, :, None] >= columns
    seen[front:, :, :prefix] = real[front:, :, None]
    seen[front:, :, prefix:] = visible
    seen[:, :, prefix:] |= torch.eye(tile, dtype=torch.bool, device=rows.device) & ~real[:, :, None]
    return _slots(rows, torch.cat([columns.expand(front + n, prefix), rows], dim=1), seen, prefix, heads)


def make_leaf_slots(class_slots: Tensor, visible: Tensor, leaves: Tensor, prefix: int, heads: int) -> Slots:
    """Only ``leaves`` (L,), numbers of class tokens' rows, ask; the keys are those of `make_slots`, without
    the prefix's own tiles. A last key slot of each tile serves query slots without a row."""
    n, tile = class_slots.shape
    place = torch.nonzero(class_slots >= 0)
    at, slot = place[torch.argsort(class_slots[class_slots >= 0])][leaves].unbind(1)
    order = torch.argsort(at, stable=True)
    at, slot = at[order], slot[order]
    turn = torch.arange(len(at), dtype=torch.int64, device=at.device) - torch.searchsorted(
        at, at
    )  # which leaf of its tile
    asking = at.new_full((n, int(turn.max()) + 1), -1)
    asking[at, turn] = order
    seen = torch.zeros(*asking.shape, prefix + tile + 1, dtype=torch.bool, device=at.device)
    seen[at, turn, :prefix] = True
    seen[at, turn, prefix:-1] = visible[at, slot]
    seen[..., -1] = asking < 0
    columns = torch.arange(prefix, dtype=torch.int64, device=at.device).expand(n, prefix)
    own = torch.where(class_slots >= 0, class_slots + prefix, -1)
    return _slots(asking, torch.cat([columns, own, own.new_full((n, 1), -1)], dim=1), seen, prefix, heads)


def _slots(asking: Tensor, keys: Tensor, seen: Tensor, prefix: int, heads: int) -> Slots:
    """`Slots` from the rows that ask (n, T) and the rows in key slots (n, K), each -1 where empty."""
    units = torch.arange(heads, dtype=torch.int64, device=keys.device)
    own = keys.clone()
    own[:, :prefix] = -1  # the prefix's keys stand in every tile
    return Slots(
        queries=(asking.clamp_min(0)[:, None] * heads + units[:, None]).flatten(),
        keys=(keys.clamp_min(0)[:, None] * heads + units[:, None]).flatten(),
        from_queries=_places(asking, units),
        from_keys=_places(own, units),
        seen=seen,
        prefix=prefix,
        heads=heads,
    )


def _places(rows: Tensor, heads: Tensor) -> Tensor:
    """Which (tile, head, slot) holds each row of ``rows`` (n, S), flattened: (number of rows * H,)."""
    place = torch.nonzero(rows >= 0)
    where = rows.new_zeros(int(rows.max()) + 1, 2)
    where[rows[rows >= 0]] = place
    return ((where[:, :1] * len(heads) + heads) * rows.shape[1] + where[:, 1:]).flatten()


@dataclass
class Attention:
    """What the backward needs: operands in slots, (b n H, T or K, d/H), and probabilities."""

    query: Tensor
    key: Tensor
    value: Tensor
    probs: Tensor  # (b n H, T, K)


def attend(query: Tensor, key: Tensor, value: Tensor, slots: Slots, mask: Tensor) -> tuple[Tensor, Attention]:
    """Attention of query (b, Q, d) to key and value (b, M, d): (b, Q, d)."""
    width = query.shape[-1] // slots.heads
    q = _take(query, slots.queries, width).view(-1, mask.shape[1], width)
    k, v = (_take(x, slots.keys, width).view(-1, mask.shape[2], width) for x in (key, value))
    probs = _softmax(torch.baddbmm(mask, q, k.transpose(1, 2), alpha=width**-0.5))
    out = torch.bmm(probs, v)
    return _take(out, slots.from_queries, width).view_as(query), Attention(q, k, v, probs)


def attend_backward(grad: Tensor, saved: Attention, slots: Slots) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query (b, Q, d), key and value (b, M, d) for the gradient of the result (b, Q, d)."""
    b, _, d = grad.shape
    query_grad, *slot_grads = _slot_gradients(grad, saved, slots)
    query = _take(query_grad, slots.from_queries, query_grad.shape[-1]).view_as(grad)
    rows = []
    for slot_grad in slot_grads:
        rows.append(_take(slot_grad, slots.from_keys, slot_grad.shape[-1]).view(b, -1, d))
        rows[-1][:, : slots.prefix] = _over_tiles(slot_grad, slots, b)
    return query, rows[0], rows[1]


def attend_backward_prefix(grad: Tensor, saved: Attention, slots: Slots) -> tuple[Tensor, Tensor, Tensor]:
    """As `attend_backward` where all rows ask, of the prefix rows (b, P, d) only."""
    b, p = grad.shape[0], slots.prefix
    query_grad, key_grad, value_grad = _slot_gradients(grad, saved, slots)
    index = slots.from_queries.view(b, -1)[:, : p * slots.heads].flatten()
    query = _take(query_grad, index, query_grad.shape[-1]).view(b, p, -1)
    return query, _over_tiles(key_grad, slots, b), _over_tiles(value_grad, slots, b)


def _slot_gradients(grad: Tensor, saved: Attention, slots: Slots) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value in their slots, (b n H, T or K, d/H)."""
    width = saved.query.shape[-1]
    g = _take(grad, slots.queries, width).view_as(saved.query)
    score_grad = torch.bmm(g, saved.value.transpose(1, 2))
    score_grad = _softmax_backward(score_grad, saved.probs).mul_(width**-0.5)
    return (
        torch.bmm(score_grad, saved.key),
        torch.bmm(score_grad.transpose(1, 2), saved.query),
        torch.bmm(saved.probs.transpose(1, 2), g),
    )


def _softmax(scores: Tensor) -> Tensor:
    """In bfloat16 on a CPU by way of float32, in which torch computes it anyhow: the same numbers, and a few
    times as fast in rows as short as these."""
    if scores.dtype == torch.bfloat16 and scores.device.type == "cpu":
        return scores.float().softmax(-1).to(scores.dtype)
    return scores.softmax(-1)


def _softmax_backward(grad: Tensor, probs: Tensor) -> Tensor:
    """Gradient of the scores, for that of the probabilities."""
    dtype = grad.dtype
    if dtype == torch.bfloat16 and grad.device.type == "cpu":
        grad, probs = grad.float(), probs.float()
    result: Tensor = aten._softmax_backward_data(grad, probs, -1, grad.dtype).to(dtype)
    return result


def _take(x: Tensor, index: Tensor, width: int) -> Tensor:
    """Pieces of ``width`` numbers of x: (len(index), width)."""
    return x.reshape(-1, width).index_select(0, index)


def _over_tiles(grad: Tensor, slots: Slots, b: int) -> Tensor:
    """Gradients of the prefix's keys, summed over the tiles that see them: (b, P, d)."""
    width, p = grad.shape[-1], slots.prefix
    shared = grad.view(b, -1, slots.heads, grad.shape[1], width)[..., :p, :].sum(1)  # (b, H, P, d/H)
    return shared.transpose(1, 2).reshape(b, p, slots.heads * width)
