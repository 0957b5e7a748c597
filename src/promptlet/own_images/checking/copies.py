"""The same photo more than once: in one class, in two classes, in two parts of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptlet.own_images.checking.looks import Look, mirrored
from promptlet.own_images.checking.result import (
    BYTES,
    COPIES,
    LEAK,
    NEARLY,
    PIXELS,
    TWO_CLASSES,
    Finding,
    Photo,
)
from promptlet.own_images.duplicates import MOST, NearPairs, copies_of, linked, members_of, near_pairs

ALIKE, OF_SPREAD = 0.015, 0.2
"""1 - correlation of two small pictures that are one photo, and as a part of the usual distance of a picture
to its tenth neighbour: where a camera stands still, all pictures are alike."""
FAR = 2.0
COLOUR, LOCAL = 12.0, 36.0
"""Levels (of 256) by which colours of regions may differ on average, and grey levels anywhere. On the test
bed and on drawn pictures, copies that are saved again, resized or mirrored differ by 30 at most (54 where a
picture of 32 pixels was saved with quality 60)."""


def find_copies(photos: Sequence[Photo], looks: Sequence[Look]) -> list[Finding]:
    """Each photo that is there more than once, as one finding."""
    contents = copies_of([look.content for look in looks])
    pixels = _merged(contents, copies_of([look.pixels for look in looks]))
    near = _near(pixels, looks)
    found = [
        _finding([photos[i] for i in rows], _how(rows, contents, pixels))
        for rows in members_of(near)
        if len(rows) > 1
    ]
    return sorted(found, key=lambda finding: (BYTES, PIXELS, NEARLY).index(finding.how))


def are_alike(one: Look, other: Look) -> bool:
    """Whether two pictures are one photo, as far as the two by themselves tell."""
    likeness = _Likeness([one, other])
    near = float(likeness.distances(np.array([0]), np.array([1]))[0, 0])
    return one.pixels == other.pixels or near <= ALIKE


def find_equal_rows(photos: Sequence[Photo], groups: np.ndarray) -> list[Finding]:
    """The same of features, where there are no pictures to compare."""
    return [_finding([photos[i] for i in rows], NEARLY) for rows in members_of(groups) if len(rows) > 1]


def _near(groups: np.ndarray, looks: Sequence[Look]) -> np.ndarray:
    """Groups (N,) joined where their small pictures are alike, also mirrored."""
    first = np.unique(groups, return_index=True)[1]
    if not 1 < len(first) <= MOST:
        return groups
    likeness = _Likeness([looks[i] for i in first])
    found = near_pairs(likeness.plain, likeness.turned, OF_SPREAD, ALIKE)
    kept = [bool(likeness.distances(i, j)[0, 0] <= ALIKE) for i, j in found.pairs[:, :, None]]
    found = NearPairs(found.pairs[kept], found.distances[kept], found.limit)
    return np.take(linked(len(first), found, likeness.distances), groups)


class _Likeness:
    """How far small pictures are apart, mirrored or not; `FAR` where colours or details differ."""

    def __init__(self, looks: Sequence[Look]) -> None:
        small = np.stack([look.small for look in looks])
        self.plain = small.reshape(len(looks), -1)
        self.turned = np.ascontiguousarray(small[:, :, ::-1]).reshape(len(looks), -1)
        self.colours = np.stack([look.colours for look in looks])
        self.fine = np.stack([look.fine for look in looks])

    def distances(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(A, B) of rows (A,) and (B,)."""
        own, other = self.colours[a], self.colours[b]
        one = 1.0 - self.plain[a] @ self.plain[b].T
        turned = 1.0 - self.plain[a] @ self.turned[b].T
        one[_differ(own, other, self.fine[a], self.fine[b])] = FAR
        turned[_differ(own, mirrored(other), self.fine[a], self.fine[b][:, :, ::-1])] = FAR
        return np.asarray(np.minimum(one, turned))


def _differ(colours: np.ndarray, others: np.ndarray, fine: np.ndarray, fine_others: np.ndarray) -> np.ndarray:
    """Whether colours, or grey levels anywhere, are too far apart (A, B)."""
    apart = np.abs(colours[:, None] - others[None]).mean(axis=2)
    levels, other_levels = _levels(fine), _levels(fine_others)
    most = np.array([np.abs(other_levels - own).max(axis=1) for own in levels])
    return np.asarray((apart > COLOUR) | (most > LOCAL))


def _levels(fine: np.ndarray) -> np.ndarray:
    """Grey levels (N, FINE * FINE) without their mean."""
    levels = fine.reshape(len(fine), -1).astype(np.float32)
    return np.asarray(levels - levels.mean(axis=1, keepdims=True))


def _merged(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Numbers of images that are equal in ``one`` or ``other``; what is equal in one is so in the other."""
    first: dict[int, int] = {}
    for own, number in zip(other, one, strict=True):
        first.setdefault(int(number), int(own))
    return np.unique([first[int(number)] for number in one], return_inverse=True)[1].astype(np.int64)


def _how(rows: np.ndarray, contents: np.ndarray, pixels: np.ndarray) -> str:
    """The weakest that holds for all of them."""
    if len(np.unique(contents[rows])) == 1:
        return BYTES
    return PIXELS if len(np.unique(pixels[rows])) == 1 else NEARLY


def _finding(photos: list[Photo], how: str) -> Finding:
    classes = tuple(dict.fromkeys(photo.class_name for photo in photos))
    parts = tuple(dict.fromkeys(photo.part for photo in photos))
    kind = TWO_CLASSES if len(classes) > 1 else LEAK if len(parts) > 1 else COPIES
    where = f" in {' and '.join(classes)}" if kind == TWO_CLASSES else ""
    where += f" in {' and '.join(parts)}" if len(parts) > 1 else ""
    text = f"{how}{where}: {', '.join(photo.name for photo in photos)}"
    return Finding(kind, text, tuple(photos), classes, how)
