"""What is taught and what is not: classes of a bed cut in two, and pictures of another data set.

A bed's classes are cut once, by a fixed draw, into those that settings are chosen on and those that are
reported. The embedded data sets are one or the other as a whole. Of each, two fifths are taught (of the
embedded ones half), by a draw of the seed. Unknown are the other classes of the same part ("near") and
the pictures of another data set ("far"), without names that hold a taught one or are held by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.rejection.words import apart
from benchmarks.validation import Bed, encoded
from promptlet import rng
from promptlet.backbones import Backbone, load_backbone
from promptlet.data import FeatureFile, read_feature_file
from promptlet.data.items import Item

SHOTS = 16
MOST = 40  # images of a class that are asked about
VALIDATION, TEST = "validation", "test"
REAL = (  # folder, data set, and the one whose pictures are far from it
    ("realbed", "caltech101", "imagenet_samples"),
    ("realclip", "caltech101", "oxford_pets"),
    ("realclip", "oxford_pets", "caltech101"),
    ("realclip", "ucf101", "oxford_pets"),
)
MINI = {
    VALIDATION: ("mini-creatures", "mini-flowers", "mini-scenes", "mini-textures"),
    TEST: ("mini-objects", "mini-vehicles", "mini-plates", "mini-people", "mini-flags"),
}


@dataclass(frozen=True)
class Problem:
    """Features (N, D) of unit length, and labels (N,) of the taught names.

    x, y: to learn from; known_x, known_y: other images of the taught classes; near_x, far_x: of none.
    near_y: their labels among ``near``, names that are not taught.
    """

    bed: str
    part: str
    seed: int
    backbone: Backbone
    taught: tuple[str, ...]
    near: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    known_x: np.ndarray
    known_y: np.ndarray
    near_x: np.ndarray
    near_y: np.ndarray
    far_x: np.ndarray


Rows = list[tuple[int, int]]
"""(row of the features, label)."""


def problems(
    part: str, seeds: tuple[int, ...], folders: Mapping[str, Path], quick: bool = False
) -> Iterator[Problem]:
    """Those of a part; of real images as far as ``folders`` has "realbed" and "realclip"."""
    for place, name, far in REAL:
        if place in folders:
            bed, other = _real(folders[place], place, name), _real(folders[place], place, far)
            yield from (_problem(bed, other, part, seed) for seed in seeds)
    names = MINI[part]
    for name, far in list(zip(names, (*names[1:], *names[:1]), strict=True))[: 1 if quick else None]:
        yield from (_problem(_mini(name), _mini(far), part, seed) for seed in seeds)


@cache
def _backbone(place: str | Path) -> Backbone:
    return load_backbone(place, device="cpu")


@cache
def _real(folder: Path, place: str, name: str) -> Bed:
    file = read_feature_file(folder / "features" / f"{name}.npz")
    return Bed(f"{place}/{name}", _backbone(folder / "model"), file)


@cache
def _mini(name: str) -> Bed:
    return Bed(name, _backbone("mini"), encoded(name, _backbone("mini")))


def _problem(bed: Bed, far: Bed, part: str, seed: int) -> Problem:
    split, embedded = bed.content.split, bed.name.startswith("mini")
    names = split.class_names
    pool = list(range(len(names)))
    if not embedded:
        order = _order(f"rejection-pools/{bed.name}", 0, len(names))
        pool = order[: len(names) // 2] if part == VALIDATION else order[len(names) // 2 :]
    drawn = [pool[i] for i in _order(f"rejection-taught/{bed.name}/{part}", seed, len(pool))]
    taught = sorted(drawn[: len(pool) // 2 if embedded else 2 * len(pool) // 5])
    own = [names[label] for label in taught]
    rest = sorted(set(pool) - set(taught))
    near = [rest[i] for i in apart([names[label] for label in rest], own)]
    asked = split.val if part == VALIDATION and not embedded else split.test
    other = far.content.split
    strangers = apart(other.class_names, own)
    pictures = other.test or other.val or other.train
    draw = f"rejection-images/{bed.name}"
    train = _rows(split.train, taught, SHOTS, draw, seed)
    known = _rows(asked, taught, MOST, draw, 0)
    unknown = _rows(asked, near, MOST, draw, 0)
    far_rows = _rows(pictures, strangers, MOST, draw, 0)
    if len(far_rows) > 1500:
        far_rows = [far_rows[i] for i in _order(draw, 1, len(far_rows))[:1500]]
    return Problem(
        bed.name,
        part,
        seed,
        bed.backbone,
        tuple(own),
        tuple(names[label] for label in near),
        *_arrays(bed.content, train),
        *_arrays(bed.content, known),
        *_arrays(bed.content, unknown),
        _arrays(far.content, far_rows)[0],
    )


def _order(purpose: str, seed: int, count: int) -> list[int]:
    order: list[int] = rng.generator(purpose, seed).permutation(count).tolist()
    return order


def _rows(items: tuple[Item, ...], labels: list[int], most: int, purpose: str, seed: int) -> Rows:
    """At most ``most`` images of each class, which is known by its place in ``labels``."""
    found: Rows = []
    for place, label in enumerate(labels):
        own = [item.row for item in items if item.label == label]
        kept = sorted(_order(f"{purpose}/{label}", seed, len(own))[:most])
        found += [(int(own[i] or 0), place) for i in kept]
    return found


def _arrays(content: FeatureFile, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    places = np.array([row for row, _ in rows], np.int64)
    x = content.features[places].astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True), np.array([label for _, label in rows], np.int64)
