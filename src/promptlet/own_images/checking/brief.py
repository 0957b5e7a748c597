"""What a fit tells of its images in passing: one line each, the rest by `promptlet check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from promptlet.errors import ImageError, listed
from promptlet.own_images.checking.classes import what_it_is
from promptlet.own_images.checking.copies import are_alike
from promptlet.own_images.checking.labels import find_doubtful
from promptlet.own_images.checking.looks import Look, looks_of
from promptlet.own_images.checking.result import Photo
from promptlet.own_images.duplicates import copies_of, groups_of

MOST_OPENED = 100
"""Images that are opened again, to see whether those with near features are one photo."""
SHOWN = 5


def notes_of(
    sources: Sequence[Any],
    targets: np.ndarray,
    class_names: Sequence[str],
    hashes: Sequence[str],
    features: np.ndarray,
    *,
    probabilities: np.ndarray | None = None,
    test_hashes: Sequence[str] = (),
    where: str = "FOLDER",
) -> tuple[str, ...]:
    """Sentences on copies, leaks, doubtful labels and names that are no words; none where all is well.

    The first five as `Material` has them; features (N, D), of the plain view. probabilities (N, C): out of
    fold, rows of NaN where nothing was asked. test_hashes: content hashes of the test images, where they are
    at hand. where: what `promptlet check` is to be given.
    """
    copies = copies_of(hashes, features)
    advice = f": see promptlet check {where}"
    told = (
        _of_copies("there more than once", copies, targets),
        _of_near(sources, targets, copies, groups_of(hashes, features)),
        _of_leaks(hashes, test_hashes),
        _of_labels(targets, class_names, probabilities),
        _of_names(class_names),
    )
    return tuple(f"{note}{advice}" for note in told if note)


def _of_copies(what: str, groups: np.ndarray, targets: np.ndarray) -> str:
    several = _several(groups)
    split = sum(1 for rows in several if len(np.unique(targets[rows])) > 1)
    if not several:
        return ""
    return f"{_counted(len(several), 'photo')} {what}{f', {split} of them in two classes' if split else ''}"


def _of_near(
    sources: Sequence[Any],
    targets: np.ndarray,
    copies: np.ndarray,
    groups: np.ndarray,
) -> str:
    """Images with near features whose pictures are alike, too."""
    first = np.unique(copies, return_index=True)[1]
    rows = [first[own] for own in _several(groups[first])]
    asked = [int(i) for own in rows for i in own][:MOST_OPENED]
    if not asked or np.ndim(sources[asked[0]]) == 1:  # features: there are no pictures
        return ""
    looks = dict(zip(asked, looks_of([sources[i] for i in asked]), strict=True))
    found = [pair for own in rows if (pair := _alike_pair(own, looks))]
    if not found:
        return ""
    split = sum(1 for i, j in found if targets[i] != targets[j])
    there = f"{_counted(len(found), 'photo')} nearly the same as another (saved again, resized, mirrored)"
    return f"{there}{f', {split} of them in two classes' if split else ''}"


def _alike_pair(rows: np.ndarray, looks: Mapping[int, Look | ImageError]) -> tuple[int, int] | None:
    """Two of the rows whose pictures are alike."""
    opened = [(int(i), look) for i in rows if isinstance(look := looks.get(int(i)), Look)]
    pairs = combinations(opened, 2)
    return next(((i, j) for (i, one), (j, other) in pairs if are_alike(one, other)), None)


def _of_leaks(hashes: Sequence[str], test_hashes: Sequence[str]) -> str:
    shared = len({content for content in hashes if content} & set(test_hashes))
    if not shared:
        return ""
    return (
        f"{_counted(shared, 'test image')} also among the training images, so the test accuracy is too high"
    )


def _of_labels(targets: np.ndarray, class_names: Sequence[str], probabilities: np.ndarray | None) -> str:
    if probabilities is None:
        return ""
    photos = [Photo(i, str(i), "train", class_names[own]) for i, own in enumerate(targets)]
    found = len(find_doubtful(photos, targets, probabilities, class_names))
    return f"the label of {found} image{'s' * (found != 1)} deserves a look" if found else ""


def _of_names(class_names: Sequence[str]) -> str:
    odd = [name for name in class_names if what_it_is(name)]
    return f"class names that are no words, which a backbone cannot read: {listed(odd, SHOWN)}" if odd else ""


def _several(groups: np.ndarray) -> list[np.ndarray]:
    """Rows of each group that has more than one."""
    return [
        np.flatnonzero(groups == g)
        for g, n in zip(*np.unique(groups, return_counts=True), strict=True)
        if n > 1
    ]


def _counted(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {what}s are"
