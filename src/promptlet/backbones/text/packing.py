"""Packing class names into tiles of tokens that share their beginnings.

Every class is a short sequence of tokens (its name, ".", end-of-text) behind one shared prefix. Sorted
sequences that begin alike share those tokens, so that a tile holds a forest: each token knows its parent,
sees its ancestors and the prefix, and nothing else. A path that two tiles need stands in both. An empty slot
costs a little in attention and nothing elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np

TILE_SIZES = tuple(range(16, 49, 2))


@dataclass
class Tile:
    """Tokens of whole classes. ``leaves`` pairs a row of the tile with a class index."""

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    leaves: list[tuple[int, int]] = field(default_factory=list)

    def add(self, sequence: Sequence[int], class_index: int, path: list[int], shared: int) -> list[int]:
        """Append ``sequence`` below the first ``shared`` rows of ``path``; returns the rows of its path."""
        path = path[:shared]
        for depth in range(shared, len(sequence)):
            self.parents.append(path[-1] if path else -1)
            self.depths.append(depth)
            path.append(len(self.tokens))
            self.tokens.append(sequence[depth])
        self.leaves.append((path[-1], class_index))
        return path

    def extend(self, other: Tile) -> None:
        """Append all tokens of another tile."""
        offset = len(self.tokens)
        self.tokens += other.tokens
        self.parents += [parent + offset if parent >= 0 else -1 for parent in other.parents]
        self.depths += other.depths
        self.leaves += [(row + offset, index) for row, index in other.leaves]

    def visible(self, size: int) -> np.ndarray:
        """Which rows each row attends to, itself included: bool (size, size)."""
        seen = np.eye(size, dtype=bool)
        for row, parent in enumerate(self.parents):
            if parent >= 0:
                seen[row] |= seen[parent]
        return seen


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return count


def families(sequences: Sequence[Sequence[int]], size: int, share: bool = True) -> list[Tile]:
    """One small tile for the classes that begin with the same token, cut where it would exceed ``size``."""
    found: list[Tile] = []
    path: list[int] = []
    previous: Sequence[int] = ()
    for index in sorted(range(len(sequences)), key=lambda i: tuple(sequences[i])):
        sequence = sequences[index]
        shared = _common(previous, sequence) if share else 0
        if shared == 0 or len(found[-1].tokens) + len(sequence) - shared > size:
            found.append(Tile())
            path, shared = [], 0
        path = found[-1].add(sequence, index, path, shared)
        previous = sequence
    return found


def fill_tiles(sequences: Sequence[Sequence[int]], size: int, share: bool = True) -> list[Tile]:
    """Families put into tiles of at most ``size`` tokens: the largest first, each where it fits best."""
    by_room: dict[int, list[Tile]] = {}
    tiles: list[Tile] = []
    for family in sorted(families(sequences, size, share), key=lambda f: -len(f.tokens)):
        need = len(family.tokens)
        room = min((r for r, open_tiles in by_room.items() if r >= need and open_tiles), default=None)
        if room is None:
            tile, room = Tile(), size
            tiles.append(tile)
        else:
            tile = by_room[room].pop()
        tile.extend(family)
        by_room.setdefault(room - need, []).append(tile)
    return tiles


def choose_tiles(sequences: Sequence[Sequence[int]], share: bool = True) -> tuple[list[Tile], int]:
    """The tiles and their size (slots), picked for the least work: rows, plus attention within a tile."""
    longest = max(len(sequence) for sequence in sequences)
    sizes = [size for size in TILE_SIZES if size >= longest] or [longest]
    if len(sequences) > 2000:
        sizes = [max(24, longest)]
    candidates = []
    for size in sizes:
        tiles = fill_tiles(sequences, size, share)
        rows = sum(len(tile.tokens) for tile in tiles)
        tight = max(len(tile.tokens) for tile in tiles)
        attention = len(tiles) * tight * (tight + 8) / 512  # in rows' worth, as measured at width 512
        candidates.append((rows + attention, tiles, tight))
    _, tiles, tight = min(candidates, key=lambda candidate: candidate[0])
    return tiles, tight


@dataclass(frozen=True)
class Chunk:
    """Some tiles, encoded together. Rows are the tokens of all tiles, one tile after the other.

    tokens, depths (R,) int64; slots (tiles, size) int64, the row in each slot, -1 where it is empty;
    visible (tiles, size, size) bool; leaf_rows, leaf_classes (L,) int64.
    """

    tokens: np.ndarray
    depths: np.ndarray
    slots: np.ndarray
    visible: np.ndarray
    leaf_rows: np.ndarray
    leaf_classes: np.ndarray


def make_chunks(tiles: Sequence[Tile], size: int, max_rows: int) -> list[Chunk]:
    """Cut the tiles into chunks of nearly equal size, of at most ``max_rows`` rows (one tile at least)."""
    per_chunk = max(1, max_rows // size)
    count = -(-len(tiles) // per_chunk)
    bounds = [round(i * len(tiles) / count) for i in range(count + 1)]
    return [_chunk(tiles[a:b], size) for a, b in pairwise(bounds)]


def _chunk(tiles: Sequence[Tile], size: int) -> Chunk:
    slots = np.full((len(tiles), size), -1, dtype=np.int64)
    tokens: list[int] = []
    depths: list[int] = []
    rows, classes = [], []
    for i, tile in enumerate(tiles):
        start = len(tokens)
        slots[i, : len(tile.tokens)] = np.arange(start, start + len(tile.tokens))
        tokens += tile.tokens
        depths += tile.depths
        rows += [start + row for row, _ in tile.leaves]
        classes += [index for _, index in tile.leaves]
    visible = np.stack([tile.visible(size) for tile in tiles])
    as_array = partial(np.array, dtype=np.int64)
    return Chunk(as_array(tokens), as_array(depths), slots, visible, as_array(rows), as_array(classes))
