"""Which images are of one photo: copies by what they hold, near-duplicates by how near their features lie.

Near is measured by each set's own spread, since features of one backbone fill a narrow cone and those of
another do not. Features are centred on their mean. The spread is the distance to an image's tenth neighbour
(the median over images): copies, of which there are seldom ten, leave it as it is. Two images are
near-duplicates where each is among the three nearest of the other, and within `NEAR` of the spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

NEAR = 0.2
"""Of the spread: on CLIP's features of Oxford Pets (2,500 test images) 12 pairs lie within it, at 0.3 already
30, at 0.4 107. Of pictures saved again with quality 75, all are found on the test bed."""
NEAREST, SPREAD_AT = 3, 10
WIDE = 2.0
"""All images of a group lie within so many times what makes a pair: a chain of frames is cut into pieces."""
BLOCK = 1024
"""Rows whose distances to all others are held at a time."""
MOST = 10_000
"""Images of which near-duplicates are looked for: their pairs take four seconds on two cores."""

Distances = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of rows (A,) and rows (B,): (A, B)."""


@dataclass(frozen=True, eq=False)
class NearPairs:
    """pairs (P, 2): rows of two images, the nearest first. distances (P,). limit: what they lie within."""

    pairs: np.ndarray
    distances: np.ndarray
    limit: float


def groups_of(hashes: Sequence[str], features: np.ndarray | None = None) -> np.ndarray:
    """A number for each image (N,) int64, the same for images of one photo; numbers stand in order.

    hashes: content hashes; images of one are copies. features (N, D): near-duplicates lie near each other.
    Without a hash ("", as of features that were given), images of the same features are copies.
    """
    copies = copies_of(hashes, features)
    first = np.unique(copies, return_index=True)[1]
    if features is None or not 1 < len(first) <= MOST:
        return copies
    vectors = centred(features[first])
    found = near_pairs(vectors)
    near = linked(len(first), found, lambda a, b: 1.0 - vectors[a] @ vectors[b].T)
    return np.asarray(near[copies], np.int64)


def copies_of(hashes: Sequence[str], features: np.ndarray | None = None) -> np.ndarray:
    """The same number (N,) for images of the same content, in order of their first."""
    rows = (
        [None] * len(hashes)
        if features is None
        else [row.tobytes() for row in np.ascontiguousarray(features)]
    )
    keys: dict[object, int] = {}
    return np.array(
        [keys.setdefault(own or rows[i] or i, len(keys)) for i, own in enumerate(hashes)], np.int64
    )


def members_of(groups: np.ndarray) -> list[np.ndarray]:
    """The rows of each group, in the order of their numbers (N,)."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return np.split(order, starts[1:]) if len(order) else []


def centred(features: np.ndarray) -> np.ndarray:
    """Rows (N, D) float32 of length 1, after their mean is taken away; zeros where nothing is left."""
    moved = np.asarray(features, np.float32) - np.mean(features, axis=0, dtype=np.float64).astype(np.float32)
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.where(length > 1e-6, moved / np.maximum(length, 1e-6), 0.0).astype(np.float32)


def near_pairs(
    vectors: np.ndarray, others: np.ndarray | None = None, near: float = NEAR, most: float = 1.0
) -> NearPairs:
    """Pairs of rows (N, D) of length 1 whose cosine distance is within ``near`` of the spread, and ``most``.

    others (N, D): of the same images in another reading, such as mirrored; the nearer of the two counts.
    """
    count = len(vectors)
    at = min(SPREAD_AT, count // 4)
    if at < 1:
        return NearPairs(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), 0.0)
    neighbours = np.zeros((count, NEAREST), np.int64)
    distances = np.zeros((count, NEAREST), np.float32)
    spread = np.zeros(count, np.float32)
    for start in range(0, count, BLOCK):
        rows = np.arange(start, min(start + BLOCK, count))
        far = 1.0 - vectors[rows] @ vectors.T
        if others is not None:
            far = np.minimum(far, 1.0 - vectors[rows] @ others.T)
        far[np.arange(len(rows)), rows] = np.inf
        wanted = max(at, NEAREST)
        nearest = np.argpartition(far, wanted - 1, axis=1)[:, :wanted]
        own = np.take_along_axis(far, nearest, axis=1)
        order = np.argsort(own, axis=1, kind="stable")
        nearest, own = np.take_along_axis(nearest, order, axis=1), np.take_along_axis(own, order, axis=1)
        spread[rows] = own[:, at - 1]
        neighbours[rows], distances[rows] = nearest[:, :NEAREST], own[:, :NEAREST]
    limit = min(near * float(np.median(spread)), most)
    return _mutual(neighbours, distances, limit)


def _mutual(neighbours: np.ndarray, distances: np.ndarray, limit: float) -> NearPairs:
    """Pairs within the limit of which each is among the nearest of the other."""
    rows, at = np.nonzero(distances <= limit)
    asked = {(int(i), int(neighbours[i, k])): float(distances[i, k]) for i, k in zip(rows, at, strict=True)}
    found = sorted((far, i, j) for (i, j), far in asked.items() if i < j and (j, i) in asked)
    pairs = np.array([(i, j) for _, i, j in found], np.int64).reshape(-1, 2)
    return NearPairs(pairs, np.array([far for far, _, _ in found], np.float32), limit)


def linked(count: int, found: NearPairs, distances: Distances) -> np.ndarray:
    """A number for each row (N,): the same for those that pairs lead to, as long as all of them lie within
    `WIDE` times the limit."""
    members = {row: np.array([row]) for row in range(count)}
    group = np.arange(count)
    for i, j in found.pairs:
        one, other = int(group[i]), int(group[j])
        if one == other or distances(members[one], members[other]).max() > WIDE * found.limit:
            continue
        one, other = min(one, other), max(one, other)
        members[one] = np.concatenate([members[one], members.pop(other)])
        group[members[one]] = one
    return np.unique(group, return_inverse=True)[1].astype(np.int64)
