"""A check of labelled images: each looked at, compared with the others, and with what its label says."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promptlet.backbones import Backbone
from promptlet.data import FeatureCache, FeatureFile
from promptlet.data.items import SPLIT_NAMES
from promptlet.errors import DataError, ImageError
from promptlet.own_images.checking.classes import find_names, find_sizes
from promptlet.own_images.checking.copies import find_copies, find_equal_rows
from promptlet.own_images.checking.looks import Look, looks_of
from promptlet.own_images.checking.pictures import find_poor
from promptlet.own_images.checking.result import UNREADABLE, Finding, Findings, Photo, in_order
from promptlet.own_images.checking.seen import alike_names, doubtful_labels, seen_names
from promptlet.own_images.data import OwnData
from promptlet.own_images.duplicates import MOST, groups_of
from promptlet.own_images.material import read_material
from promptlet.session import own_arithmetic

Progress = Callable[[str, int, int, str], None]
NOT_COMPARED = "labels were not compared with pictures"
ONLY_ONES = "images could not be compared with others of their class: they are its only ones"
NOT_LOOKED = f"near-duplicates were not looked for, since there are more than {MOST:,} different images"


@dataclass(frozen=True, eq=False)
class _Labels:
    """What the backbone tells of labels and names."""

    found: tuple[Finding, ...] = ()
    known_names: tuple[str, ...] = ()
    asked: int = 0
    notes: tuple[str, ...] = ()


def check(
    data: OwnData,
    root: Path,
    backbone: Backbone | None = None,
    *,
    cache: bool | str | Path | FeatureCache = True,
    on_progress: Progress | None = None,
) -> Findings:
    """All that is suspicious in ``data``, over all of its parts; nothing is changed on disk.

    root: where the paths that are told start. backbone: without one, labels are not compared with pictures.
    Raises PromptletError where the data as a whole cannot be used.
    """
    tell = on_progress or _nothing
    split = data.split if isinstance(data, FeatureFile) else data
    photos = _photos(data, root)
    found: list[Finding] = []
    if isinstance(data, FeatureFile):
        rows = data.features[[photo.source for photo in photos]]
        photos = [
            Photo(row, photo.name, photo.part, photo.class_name)
            for row, photo in zip(rows, photos, strict=True)
        ]
        whole = photos
        found += find_equal_rows(photos, groups_of([""] * len(photos), rows))
        different = len(np.unique(rows, axis=0))
    else:
        side = None if backbone is None else _input_side(backbone)
        whole, looks, unreadable = _look(photos, tell)
        found += [*unreadable, *find_copies(whole, looks), *find_poor(whole, looks, side)]
        different = len({look.pixels for look in looks})
    labels = _Labels() if backbone is None else _labels(backbone, whole, cache, tell)
    found += [
        *([] if backbone is None else alike_names(backbone, split.class_names)),
        *labels.found,
        *find_names(split.class_names, labels.known_names),
        *find_sizes(split.class_names, whole),
    ]
    return Findings(
        photos=tuple(photos),
        class_names=split.class_names,
        found=in_order(found),
        backbone=None if backbone is None else backbone.name,
        asked=labels.asked,
        notes=(*labels.notes, NOT_LOOKED) if different > MOST else labels.notes,
    )


def _input_side(backbone: Backbone) -> int:
    backbone.check_images()
    return min(backbone.images.spec.output_size)


def _photos(data: OwnData, root: Path) -> list[Photo]:
    """All labelled images, each with its part; of a feature file the source is its row."""
    split = data.split if isinstance(data, FeatureFile) else data
    return [
        Photo(item.path if item.row is None else item.row, told(item.path, root), part, item.class_name)
        for part in SPLIT_NAMES
        for item in getattr(split, part)
    ]


def told(path: Path, root: Path) -> str:
    """A path as it is told: relative to ``root`` where it lies below, with slashes."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def root_of(given: Path, data: OwnData) -> Path:
    """Where paths start: at the folder that was given, at that of a table, or where all images lie."""
    if given.is_dir():
        return given
    if given.is_file():
        return given.parent
    split = data.split if isinstance(data, FeatureFile) else data
    parents = {str(item.path.parent) for item in split.every_item}
    try:
        return Path(os.path.commonpath(parents)) if parents else Path()
    except ValueError:  # some relative, or on another drive
        return Path()


def _look(photos: Sequence[Photo], tell: Progress) -> tuple[list[Photo], list[Look], list[Finding]]:
    """The photos that can be read, with their looks; and what is wrong with the others."""
    looks = looks_of([photo.source for photo in photos], lambda done, total: tell("looking", done, total, ""))
    whole: list[Photo] = []
    good: list[Look] = []
    bad: list[Finding] = []
    for photo, look in zip(photos, looks, strict=True):
        if isinstance(look, ImageError):
            reason = str(look).removeprefix(f"{photo.source}: ")
            bad.append(Finding(UNREADABLE, f"{photo.name}: {reason}", (photo,)))
        else:
            whole.append(photo)
            good.append(look)
    return whole, good, bad


@own_arithmetic()
def _labels(
    backbone: Backbone, photos: Sequence[Photo], cache: bool | str | Path | FeatureCache, tell: Progress
) -> _Labels:
    """Labels and names against what the backbone sees."""
    try:
        material = read_material(
            backbone,
            [photo.source for photo in photos],
            [photo.class_name for photo in photos],
            cache=cache,
            on_encode=lambda done, total: tell("encoding", done, total, ""),
        )
        doubtful, asked = doubtful_labels(
            backbone, material, photos, lambda done, total: tell("comparing", done, total, "")
        )
    except DataError as error:  # one class is left, or each has one image
        return _Labels(notes=(f"{NOT_COMPARED}: {error}",))
    names, known = seen_names(backbone, material)
    never = int((~asked).sum())
    notes = (f"{never} {ONLY_ONES}",) if never else ()
    return _Labels((*doubtful, *names), tuple(known), int(asked.sum()), notes)


def _nothing(_what: str, _done: int, _total: int, _word: str) -> None:
    pass
