"""What a fit tells of its images in passing: one line each, the rest by `promptlet check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from promptlet.backbones import Backbone
from promptlet.classifier.reading import are_vectors
from promptlet.errors import DataError, ImageError, listed
from promptlet.own_images.checking.classes import what_it_is
from promptlet.own_images.checking.copies import are_alike
from promptlet.own_images.checking.looks import Look, looks_of
from promptlet.own_images.checking.result import Photo
from promptlet.own_images.checking.seen import doubtful_labels, seen_names
from promptlet.own_images.duplicates import copies_of, members_of
from promptlet.own_images.material import Material

MOST_OPENED = 100
"""Images that are opened again, to see whether those with near features are one photo."""
MOST_COMPARED = 2_000_000_000
"""Images times classes times numbers of a feature: more take longer than a note is worth (15 s on one core),
and are left to `promptlet check`."""
SHOWN = 5


def notes_of(
    backbone: Backbone,
    material: Material,
    *,
    labels: bool = True,
    test_hashes: Sequence[str] = (),
    where: str = "FOLDER",
) -> tuple[str, ...]:
    """Sentences on copies, leaks, doubtful labels and names that are no words; none where all is well.

    labels: whether these are compared with the images. test_hashes: content hashes of the test images, where
    they are at hand. where: what `promptlet check` is to be given.
    """
    copies = copies_of(material.hashes, material.features[0])
    advice = f": see promptlet check {where}"
    told = (
        _of_copies(copies, material.targets),
        _of_near(material, copies),
        _of_leaks(material.hashes, test_hashes),
        _of_labels(backbone, material) if labels else "",
        _of_names(backbone, material),
    )
    return tuple(f"{note}{advice}" for note in told if note)


def _of_copies(copies: np.ndarray, targets: np.ndarray) -> str:
    several = _several(copies)
    split = sum(1 for rows in several if len(np.unique(targets[rows])) > 1)
    if not several:
        return ""
    there = f"{_counted(len(several), 'photo')} there more than once"
    return f"{there}{f', {split} of them in two classes' if split else ''}"


def _of_near(material: Material, copies: np.ndarray) -> str:
    """Images with near features whose pictures are alike, too."""
    if are_vectors(material.sources):  # there are no pictures
        return ""
    first = np.unique(copies, return_index=True)[1]
    rows = [first[own] for own in _several(material.groups[first])]
    asked = [int(i) for own in rows for i in own][:MOST_OPENED]
    looks = dict(zip(asked, looks_of([material.sources[i] for i in asked]), strict=True))
    found = [pair for own in rows if (pair := _alike_pair(own, looks))]
    if not found:
        return ""
    split = sum(1 for i, j in found if material.targets[i] != material.targets[j])
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


def _of_labels(backbone: Backbone, material: Material) -> str:
    if material.features[0].size * len(material.class_names) > MOST_COMPARED:
        return ""
    names = (material.class_names[own] for own in material.targets)
    photos = [Photo(i, str(i), "train", name) for i, name in enumerate(names)]
    try:
        found = len(doubtful_labels(backbone, material, photos)[0])
    except DataError:  # none can be compared
        return ""
    return f"the label of {found} image{'s' * (found != 1)} deserves a look" if found else ""


def _of_names(backbone: Backbone, material: Material) -> str:
    odd = [name for name in material.class_names if what_it_is(name)]
    known = seen_names(backbone, material)[1] if odd else ()
    odd = [name for name in odd if name not in known]
    return f"class names that are no words, which a backbone cannot read: {listed(odd, SHOWN)}" if odd else ""


def _several(groups: np.ndarray) -> list[np.ndarray]:
    """Rows of each group that has more than one."""
    return [rows for rows in members_of(groups) if len(rows) > 1]


def _counted(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {what}s are"
