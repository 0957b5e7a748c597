"""What a data set's own files say, before anything is cut or drawn, and checks that all layouts share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from promptlet.data.images.opening import list_images
from promptlet.data.items import check_text
from promptlet.data.known.annotations import AGAIN
from promptlet.errors import DataError

MAX_DIGITS = 9
"""Of a class number."""
Rows = list[tuple[Path, int]]


@dataclass(frozen=True)
class Layout:
    """Class names, not cleaned yet, and (path, label) rows by part: pool, trainval, train, val or test.

    ``note``: what was done to the names beyond CoOp.
    """

    class_names: tuple[str, ...]
    rows: dict[str, Rows]
    note: str = ""


def images_of(classes: Iterable[Path]) -> Rows:
    """Every image of these class folders, labelled by position. Raises DataError for an empty one."""
    rows: Rows = []
    for label, path in enumerate(classes):
        images = list_images(path)
        if not images:
            raise DataError(f"{path}: this class folder holds no images; {AGAIN}")
        rows += ((image, label) for image in images)
    return rows


def inside(root: Path, name: str, where: str) -> Path:
    """``root`` / ``name``. Raises DataError when that leaves ``root``."""
    path = PurePosixPath(check_text(name, where, "the path"))
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"{where}: the path {name!r} is not inside {root}; {AGAIN}")
    return root / name


def number_of(text: str, where: str) -> int:
    """A class number as written. Raises DataError."""
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        return int(text)
    raise DataError(f"{where}: {text!r} is no class number; {AGAIN}")


def label_of_number(number: Any, classes: int, where: str) -> int:
    """A label from 0 of a class number from 1. Raises DataError."""
    try:
        label = int(number) - 1
    except (TypeError, ValueError, OverflowError):
        label = -1
    if not 0 <= label < classes:
        raise DataError(f"{where}: the class {number!r} is not one of 1 to {classes}; {AGAIN}")
    return label


def label_of_name(labels: Mapping[str, int], name: str, where: str, listed_in: str) -> int:
    """The label of a class name. Raises DataError."""
    if name in labels:
        return labels[name]
    raise DataError(f"{where}: the class {name!r} is not in {listed_in}; {AGAIN}")


def in_order(names: Mapping[int, str], where: Path) -> tuple[str, ...]:
    """Names by label. Raises DataError when a label from 0 on is left out."""
    missing = next((label for label in range(len(names)) if label not in names), None)
    if missing is not None:
        raise DataError(f"{where}: there is no class {missing + 1} among {len(names)}; {AGAIN}")
    return tuple(names[label] for label in range(len(names)))
