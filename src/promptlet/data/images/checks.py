"""Are image files there, and can they be opened?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from promptlet.data.images.opening import check_image, is_file
from promptlet.data.items import SPLIT_NAMES, Split
from promptlet.errors import DataError, ImageError

Location = TypeVar("Location", bound=str | Path)

CHUNK = 1024
SHOWN = 5
MOST_NAMED = 100
MOST_LOOKED_AT = 50_000
THREADS = min(8, os.cpu_count() or 1)


def not_there(paths: Iterable[Path]) -> Iterator[Path]:
    """Those that are no files; every folder is listed once."""
    folders: dict[Path, set[str]] = {}
    for path in paths:
        if path.parent not in folders:
            folders[path.parent] = _files_in(path.parent)
        if path.name not in folders[path.parent]:
            yield path


def find_unreadable(
    paths: Sequence[Location], on_progress: Callable[[int, int], None] | None = None
) -> dict[Location, str]:
    """Those of ``paths`` that cannot be opened as images, with what is wrong; none is changed.

    ``bad = find_unreadable(paths); good = [path for path in paths if path not in bad]``. Images are decoded
    in several threads; on_progress(done, total) is called after every `CHUNK` of them.
    """
    rest = iter(paths)
    done = 0
    problems: dict[Location, str] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(rest, CHUNK)):
            reasons = zip(chunk, pool.map(_why_unreadable, chunk), strict=True)
            problems |= {path: reason for path, reason in reasons if reason}
            done += len(chunk)
            if on_progress is not None:
                on_progress(done, len(paths))
    return problems


def all_unreadable(split: Split, error: ImageError, hint: str, most: int = MOST_NAMED) -> ImageError:
    """An error that names every image of ``split`` that cannot be read, once ``error`` was met: a person then
    mends all at once. hint: the way out; most: as many are named. Of very many images, only those of
    ``error`` are.
    """
    paths = list(dict.fromkeys(item.path for item in split.every_item))
    reasons = list(find_unreadable(paths).values()) if len(paths) <= MOST_LOOKED_AT else []
    if len(reasons) < 2:
        return ImageError(f"{error}. {hint}")
    more = [f"... and {len(reasons) - most:,} more"] if len(reasons) > most else []
    return ImageError(
        f"{len(reasons):,} of {len(paths):,} images cannot be read. {hint}:", [*reasons[:most], *more]
    )


def without_unreadable(
    split: Split, on_progress: Callable[[int, int], None] | None = None
) -> tuple[Split, dict[Path, str]]:
    """The data set without the images that cannot be opened: as if they were not there; and what is wrong
    with each of them.

    Raises DataError where that leaves a class without training images.
    """
    paths = list(dict.fromkeys(item.path for item in split.every_item))
    bad = find_unreadable(paths, on_progress)
    train, val, test = (
        tuple(item for item in getattr(split, part) if item.path not in bad) for part in SPLIT_NAMES
    )
    left = {item.label for item in train}
    lost: dict[str, str] = {}
    for item in split.train:
        if item.label not in left:
            lost.setdefault(item.class_name, bad[item.path])
    if lost:
        names = ", ".join(map(repr, list(lost)[:SHOWN])) + (", ..." if len(lost) > SHOWN else "")
        raise DataError(
            f"{split.name}: without the images that cannot be read, no training image is left of {names}; "
            f"replace them, or remove the class. The first: {next(iter(lost.values()))}"
        )
    return replace(split, train=train, val=val, test=test), bad


def _files_in(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if is_file(entry)}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _why_unreadable(path: str | Path) -> str:
    try:
        check_image(path)
    except ImageError as error:
        return str(error)
    return ""
