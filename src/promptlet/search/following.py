"""What is in a folder now, and what of it an index knows: by name, size and time of change alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promptlet.errors import DataError
from promptlet.own_images.finding import Finder
from promptlet.search.file import Stored


@dataclass(frozen=True)
class There:
    """The images of a folder: paths below it with / between, in order; errors: folders that cannot be looked
    into."""

    paths: list[str]
    errors: dict[str, str]


@dataclass(frozen=True, eq=False)
class Followed:
    """kept: rows of the index that are as they were. todo: images that are new, or were changed. removed: how
    many are no longer there."""

    kept: np.ndarray
    todo: list[str]
    changed: frozenset[str]
    removed: int


def images_of(folder: Path) -> There:
    """All images below ``folder``, an absolute path. Raises DataError where there is none."""
    check_there(folder)
    found = Finder().find([str(folder)])
    if not found.paths:
        raise DataError("; ".join(found.errors.values()))
    start = len(os.path.join(folder, ""))  # noqa: PTH118 (its separator is what is asked for)
    paths = [name[start:].replace(os.sep, "/") for name in found.paths]
    return There(paths, found.errors)


def check_there(folder: Path) -> None:
    """Raise DataError where there is no such folder."""
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; check the path")


def stamp_of(path: Path | str) -> tuple[int, int] | None:
    """Bytes of a file and when it was changed, in nanoseconds; None where that cannot be looked up."""
    try:
        status = os.stat(path)  # noqa: PTH116 (a million of them)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def compare(known: Stored, folder: Path, there: list[str]) -> Followed:
    """What of the images in ``folder`` is known."""
    rows = {path: row for row, path in enumerate(known.paths)}
    kept, todo, changed = [], [], []
    for path in there:
        row = rows.pop(path, None)
        if row is not None and stamp_of(folder / path) == tuple(known.stamps[row].tolist()):
            kept.append(row)
            continue
        todo.append(path)
        if row is not None:
            changed.append(path)
    return Followed(np.array(kept, np.int64), todo, frozenset(changed), len(rows))
