"""Packed attention against attention of one class at a time, written out here."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from promptlet.backbones.text.attention import (
    attend,
    attend_backward,
    attend_backward_prefix,
    make_leaf_slots,
    make_slots,
)
from promptlet.backbones.text.packing import Chunk, choose_tiles, make_chunks

HEADS, WIDTH = 2, 3
LISTS = st.lists(
    st.lists(st.integers(0, 3), min_size=1, max_size=6).map(lambda s: (*s, 9)), min_size=1, max_size=12
)


def pack(sequences: list[tuple[int, ...]], share: bool) -> Chunk:
    """All classes in one chunk."""
    tiles, size = choose_tiles(sequences, share)
    (chunk,) = make_chunks(tiles, size, 10_000)
    return chunk


def ancestors(chunk: Chunk, row: int) -> list[int]:
    """Rows that a class token sees, itself included, in order."""
    ((tile, slot),) = np.argwhere(chunk.slots == row)
    return sorted(chunk.slots[tile, chunk.visible[tile, slot]])


def plain(query: Tensor, key: Tensor, value: Tensor, chunk: Chunk, prefix: int) -> Tensor:
    """Every row by itself: softmax over the prefix and its own ancestors."""
    rows = []
    for row in range(query.shape[1]):
        own = [] if row < prefix else [prefix + r for r in ancestors(chunk, row - prefix)]
        seen = [*range(row + 1 if row < prefix else prefix), *own]
        q, k, v = (
            x[:, at].unflatten(-1, (HEADS, WIDTH)) for x, at in ((query, row), (key, seen), (value, seen))
        )
        weights = torch.einsum("bhw,bshw->bhs", q, k).div(WIDTH**0.5).softmax(-1)
        rows.append(torch.einsum("bhs,bshw->bhw", weights, v).flatten(1))
    return torch.stack(rows, 1)


def draw(rows: int, b: int) -> list[Tensor]:
    """Query, key, value and the gradient of the result: (b, rows, d)."""
    seed = torch.Generator().manual_seed(0)
    return [torch.randn(b, rows, HEADS * WIDTH, generator=seed, dtype=torch.float64) for _ in range(4)]


@settings(max_examples=30, deadline=None)
@given(LISTS, st.booleans(), st.integers(1, 20), st.integers(1, 3))
def test_equals_one_row_at_a_time(sequences: list[tuple[int, ...]], share: bool, prefix: int, b: int) -> None:
    chunk = pack(sequences, share)
    slots = make_slots(torch.from_numpy(chunk.slots), torch.from_numpy(chunk.visible), prefix, HEADS)
    *inputs, grad = draw(prefix + len(chunk.tokens), b)
    query, key, value = (x.requires_grad_() for x in inputs)
    expected = plain(query, key, value, chunk, prefix)
    want = torch.autograd.grad(expected, (query, key, value), grad)
    with torch.no_grad():
        out, saved = attend(query, key, value, slots.repeated(b), slots.mask(torch.float64, b))
        got = attend_backward(grad, saved, slots.repeated(b))
        got_prefix = attend_backward_prefix(grad, saved, slots.repeated(b))
    torch.testing.assert_close(out, expected)
    for one, other, first in zip(got, want, got_prefix, strict=True):
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(first, other[:, :prefix])


@settings(max_examples=30, deadline=None)
@given(LISTS, st.booleans(), st.integers(1, 20), st.integers(1, 3))
@example([(0, 9)] * 4, True, 1, 1)  # more leaves than rows
def test_leaves_alone_get_the_same(
    sequences: list[tuple[int, ...]], share: bool, prefix: int, b: int
) -> None:
    """As if all rows asked and only the leaves' results counted."""
    chunk = pack(sequences, share)
    leaves = torch.from_numpy(chunk.leaf_rows)
    packed = torch.from_numpy(chunk.slots), torch.from_numpy(chunk.visible)
    slots = make_leaf_slots(*packed, leaves, prefix, HEADS)
    query, key, value = (x.requires_grad_() for x in draw(prefix + len(chunk.tokens), b)[:3])
    rows, grad = prefix + leaves, draw(len(leaves), b)[3]
    expected = plain(query, key, value, chunk, prefix)[:, rows]
    want = torch.autograd.grad(expected, (query, key, value), grad)
    with torch.no_grad():
        out, saved = attend(query[:, rows], key, value, slots.repeated(b), slots.mask(torch.float64, b))
        got_query, *got = attend_backward(grad, saved, slots.repeated(b))
    torch.testing.assert_close(out, expected)
    got_query = torch.zeros_like(query).index_add_(1, rows, got_query)
    for one, other in zip((got_query, *got), want, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("prefix", [1, 5, 40])
def test_empty_slots_see_themselves_alone(prefix: int) -> None:
    chunk = pack([(1, 2, 9), (3, 9)] * 3 + [(7,) * 30], share=False)
    slots = make_slots(torch.from_numpy(chunk.slots), torch.from_numpy(chunk.visible), prefix, HEADS)
    tile = chunk.slots.shape[1]
    front = -(-prefix // tile)
    held = np.concatenate([np.arange(front * tile).reshape(front, tile) < prefix, chunk.slots >= 0])
    assert slots.seen.shape == (front + len(chunk.slots), tile, prefix + tile)
    for (at, slot), real in np.ndenumerate(held):
        seen = torch.nonzero(slots.seen[at, slot]).flatten().tolist()
        assert (seen == [prefix + slot]) == (not real)
