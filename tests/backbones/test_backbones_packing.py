"""Packing: every class stands somewhere, spelled by its leaf's ancestors, within the sizes asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlet.backbones.text.packing import Chunk, choose_tiles, fill_tiles, make_chunks

LISTS = st.lists(
    st.lists(st.integers(0, 3), min_size=1, max_size=9).map(lambda s: (*s, 9)), min_size=1, max_size=40
)


def spelled(chunk: Chunk, row: int) -> list[int]:
    """The tokens that a row sees, in order of depth."""
    ((tile, slot),) = np.argwhere(chunk.slots == row)
    rows = chunk.slots[tile, chunk.visible[tile, slot]]
    assert chunk.depths[rows].tolist() == list(range(len(rows)))
    return chunk.tokens[rows].tolist()


@settings(max_examples=60, deadline=None)
@given(LISTS, st.booleans(), st.integers(1, 200))
def test_every_class_is_spelled_once(sequences: list[tuple[int, ...]], share: bool, max_rows: int) -> None:
    tiles, size = choose_tiles(sequences, share)
    assert max(len(tile.tokens) for tile in tiles) == size
    chunks = make_chunks(tiles, size, max_rows)
    assert sorted(np.concatenate([c.leaf_classes for c in chunks])) == list(range(len(sequences)))
    for chunk in chunks:
        rows = len(chunk.tokens)
        assert 1 <= rows <= max(max_rows, size)
        assert len(chunk.depths) == rows
        assert chunk.slots.shape[1] == size
        assert sorted(chunk.slots[chunk.slots >= 0]) == list(range(rows))
        for row, index in zip(chunk.leaf_rows, chunk.leaf_classes, strict=True):
            assert spelled(chunk, row) == list(sequences[index])


@settings(max_examples=60, deadline=None)
@given(LISTS, st.booleans(), st.integers(0, 20))
def test_tiles_keep_their_size(sequences: list[tuple[int, ...]], share: bool, slack: int) -> None:
    size = max(map(len, sequences)) + slack
    tiles = fill_tiles(sequences, size, share)
    assert all(0 < len(tile.tokens) <= size for tile in tiles)
    rows = sum(len(tile.tokens) for tile in tiles)
    assert rows <= sum(map(len, sequences))
    if not share:
        assert rows == sum(map(len, sequences))


def test_shared_beginnings_stand_once() -> None:
    sequences = [(1, 2, 3, 9), (1, 2, 4, 9), (1, 9), (5, 9)]
    (tile,) = fill_tiles(sequences, 16)
    assert len(tile.tokens) == 9
    same = fill_tiles([(1, 2, 9)] * 3, 16)
    assert len(same[0].tokens) == 3
    assert sorted(index for _, index in same[0].leaves) == [0, 1, 2]


def test_empty_slots_see_themselves_only() -> None:
    tiles, size = choose_tiles([(1, 2, 9), (3, 9)] * 20 + [(7,) * 30], share=False)
    (chunk,) = make_chunks(tiles, size, 10_000)
    assert bool(chunk.visible.any(axis=2).all())
    used = np.array([len(tile.tokens) for tile in tiles])
    assert len(chunk.tokens) == used.sum() < chunk.slots.size
    for tile, count in enumerate(used):
        assert np.array_equal(chunk.slots[tile] < 0, np.arange(size) >= count)
        assert np.array_equal(chunk.visible[tile, count:], np.eye(size, dtype=bool)[count:])


def test_many_classes_are_packed_in_a_moment() -> None:
    draw = np.random.default_rng(0)
    sequences = [tuple(draw.integers(0, 5000, draw.integers(2, 6))) for _ in range(5000)]
    tiles, size = choose_tiles(sequences)
    assert size <= 32
    assert sum(len(t.tokens) for t in tiles) >= 0.9 * len(tiles) * size
