"""Data sets whose images are stored in tables: unpacked once into the user's cache folder, and found again.

``<cache>/datasets/<digest>/`` holds ``images/`` and ``index.json``. The digest is of all that the content
depends on, so a changed source has another folder. A folder appears whole or not at all; one process fills it
while others wait; one whose files are gone or of other sizes is filled anew.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from promptlet.data.cache.features import default_folder
from promptlet.data.items import SPLIT_NAMES, Item, Split
from promptlet.errors import DataError, why

SCHEMA = 1
INDEX = "index.json"

Rows = list[tuple[str, int, int]]
"""(path, label, bytes) of images; relative paths start at the folder, others are files that lie elsewhere."""


@dataclass(frozen=True)
class Content:
    """A data set as it is unpacked. ``source``: what it was made from, in words."""

    source: str
    name: str
    class_names: tuple[str, ...]
    rule: str
    parts: Mapping[str, Rows]

    def split(self, folder: Path) -> Split:
        """Its items, with paths below ``folder``."""
        parts = (
            tuple(Item(folder / path, label, self.class_names[label]) for path, label, _ in self.parts[part])
            for part in SPLIT_NAMES
        )
        return Split(self.name, self.class_names, *parts, rule=self.rule)


@dataclass(frozen=True)
class Unpacked:
    """One folder of unpacked images: how many, and how many bytes."""

    path: Path
    source: str
    images: int
    bytes: int


def datasets_folder() -> Path:
    """Where unpacked data sets are kept."""
    return default_folder() / "datasets"


def unpack_once(digest: str, fill: Callable[[Path], Content]) -> Split:
    """The data set of this digest; ``fill`` writes its images below a folder when they are not there yet.

    Raises DataError when the cache folder cannot be written, and what ``fill`` raises.
    """
    folder = datasets_folder() / digest
    content = _intact(folder)
    if content is not None:
        return content.split(folder)
    try:
        with _alone(folder):
            content = _intact(folder)  # another process may have filled it
            if content is None:
                content = _fill(folder, fill)
    except (OSError, NotImplementedError) as error:  # the latter: a disk without locks
        raise DataError(
            f"{folder}: images cannot be unpacked here ({why(error)}); free "
            "some space, or set PROMPTLET_CACHE to another folder"
        ) from error
    return content.split(folder)


def list_unpacked() -> list[Unpacked]:
    """What is unpacked now, by folder name."""
    folder = datasets_folder()
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        content = _read_index(path)
        if content is not None:
            every = {file: size for rows in content.parts.values() for file, _, size in rows}
            sizes = [size for file, size in every.items() if not Path(file).is_absolute()]
            found.append(Unpacked(path, content.source, len(sizes), sum(sizes)))
    return found


def clear_unpacked() -> list[Unpacked]:
    """Remove all of it, and what a stop has left; what was removed. Raises DataError when it cannot be."""
    removed = list_unpacked()
    try:
        if datasets_folder().is_dir():
            shutil.rmtree(datasets_folder())
    except OSError as error:
        raise DataError(
            f"{datasets_folder()}: cannot be removed ({error.strerror}); remove it by hand"
        ) from error
    return removed


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only this process fills the folder meanwhile; drafts that a killed one has left are removed."""
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        for draft in folder.parent.glob(f".{folder.name}-*"):
            shutil.rmtree(draft, ignore_errors=True)
        yield


def _fill(folder: Path, fill: Callable[[Path], Content]) -> Content:
    draft = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        draft.mkdir()
        content = fill(draft)
        text = json.dumps({"schema": SCHEMA, **asdict(content)}, ensure_ascii=True)
        (draft / INDEX).write_text(text, encoding="ascii")
        older = folder.with_name(f"{draft.name}-older")
        if folder.exists():
            folder.rename(older)
        draft.rename(folder)
        shutil.rmtree(older, ignore_errors=True)  # once the new one stands
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return content


def _intact(folder: Path) -> Content | None:
    """The content, where every file is there and as large as it was."""
    content = _read_index(folder)
    if content is None:
        return None
    rows = (row for part in content.parts.values() for row in part)
    return content if all(_size(folder / path) == size for path, _, size in rows) else None


def _read_index(folder: Path) -> Content | None:
    """What the folder's index says; None for none, another version's, or a damaged one."""
    try:
        found = json.loads((folder / INDEX).read_bytes())
        if found.pop("schema") != SCHEMA:
            return None
        parts = {part: [(str(p), int(c), int(s)) for p, c, s in found["parts"][part]] for part in SPLIT_NAMES}
        names = tuple(str(name) for name in found["class_names"])
        if not all(0 <= label < len(names) for rows in parts.values() for _, label, _ in rows):
            return None
        return Content(str(found["source"]), str(found["name"]), names, str(found["rule"]), parts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1
