"""The same photo more than once: in one class, in two classes, in two parts of the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from promptlet.own_images.checking.looks import Look
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
from promptlet.own_images.duplicates import MOST, linked, near_pairs

ALIKE, OF_SPREAD = 0.015, 0.2
"""1 - correlation of two small pictures that are one photo, and as a part of the usual distance of a picture
to its tenth neighbour: where a camera stands still, all pictures are alike."""


def find_copies(photos: Sequence[Photo], looks: Sequence[Look]) -> list[Finding]:
    """Each photo that is there more than once, as one finding."""
    contents = _numbered([look.content for look in looks])
    pixels = _merged(contents, _numbered([look.pixels for look in looks]))
    near = _near(pixels, looks)
    found = [
        _finding([photos[i] for i in rows], _how(rows, contents, pixels))
        for rows in _groups(near)
        if len(rows) > 1
    ]
    return sorted(found, key=lambda finding: (BYTES, PIXELS, NEARLY).index(finding.how))


def are_alike(one: Look, other: Look) -> bool:
    """Whether two pictures are one photo, as far as the two by themselves tell."""
    plain = float((one.small * other.small).sum())
    mirrored = float((one.small * other.small[:, ::-1]).sum())
    return one.pixels == other.pixels or 1.0 - max(plain, mirrored) <= ALIKE


def find_equal_rows(photos: Sequence[Photo], groups: np.ndarray) -> list[Finding]:
    """The same of features, where there are no pictures to compare."""
    return [_finding([photos[i] for i in rows], NEARLY) for rows in _groups(groups) if len(rows) > 1]


def _near(groups: np.ndarray, looks: Sequence[Look]) -> np.ndarray:
    """Groups (N,) joined where their small pictures are alike, also mirrored."""
    first = np.unique(groups, return_index=True)[1]
    if not 1 < len(first) <= MOST:
        return groups
    small = np.stack([looks[i].small for i in first])
    plain, mirrored = small.reshape(len(first), -1), small[:, :, ::-1].reshape(len(first), -1)

    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(1.0 - np.maximum(plain[a] @ plain[b].T, plain[a] @ mirrored[b].T))

    found = near_pairs(plain, np.ascontiguousarray(mirrored), OF_SPREAD, ALIKE)
<<<<<<< HEAD
    return np.asarray(linked(len(first), found, distances)[groups], np.int64)
=======
    joined = linked(len(first), found, distances)
    return np.take(joined, groups)
>>>>>>> 2fd9ce5 (A benchmark of planted faults)


def _numbered(keys: Sequence[str]) -> np.ndarray:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _merged(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Numbers of images that are equal in ``one`` or ``other``; what is equal in one is so in the other."""
    first: dict[int, int] = {}
    for own, number in zip(other, one, strict=True):
        first.setdefault(int(number), int(own))
    return np.unique([first[int(number)] for number in one], return_inverse=True)[1].astype(np.int64)


def _groups(groups: np.ndarray) -> Iterator[list[int]]:
    rows: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        rows[int(group)].append(row)
    yield from rows.values()


def _how(rows: list[int], contents: np.ndarray, pixels: np.ndarray) -> str:
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
