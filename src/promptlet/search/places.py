"""Where indexes are kept that nobody has given a place, and which there are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from promptlet.data.cache.features import default_folder
from promptlet.errors import DataError, why

FOLDER, SUFFIX = "search", ".index"


@dataclass(frozen=True)
class Kept:
    """An index in the user's cache folder."""

    path: Path
    folder: str
    backbone: str
    images: int
    bytes: int


def default_file(folder: Path, identity: str) -> Path:
    """The index of a folder by one backbone, in the user's cache folder."""
    key = hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()
    return indexes_folder() / f"{key}-{identity}{SUFFIX}"


def indexes_folder() -> Path:
    """Where they lie."""
    return default_folder() / FOLDER


def list_kept() -> list[Kept]:
    """All that are there; what cannot be read as one is left out."""
    from promptlet.search.file import read_index

    found = []
    for path in _files():
        try:
            index = read_index(path)
            size = path.stat().st_size
        except (DataError, OSError):
            continue
        found.append(Kept(path, index.facts.folder, index.facts.backbone, len(index), size))
    return found


def clear_kept() -> int:
    """Remove all; how many there were. Raises DataError where one cannot be removed."""
    removed = 0
    for path in list(_files()):
        try:
            path.unlink()
        except OSError as error:
            raise DataError(f"{path} cannot be removed ({why(error)}); remove it by hand") from error
        removed += 1
    return removed


def _files() -> Iterator[Path]:
    folder = indexes_folder()
    return iter(sorted(folder.glob(f"*{SUFFIX}"))) if folder.is_dir() else iter(())
