"""All that is ever done to a disk here, one step each: a rename, a file written whole, an empty folder gone.

Nothing overwrites an image. Whoever is killed between two of these steps has lost nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from promptlet.data.files import open_regular
from promptlet.promptfile.files import write_whole

JUNK: Final = frozenset((".ds_store", "thumbs.db", "desktop.ini"))
"""What systems leave in folders that people looked into."""
MOST_JSON: Final = 1 << 28


def write(path: Path, data: bytes) -> None:
    """A file, whole or not at all. Raises OSError."""
    write_whole(path, data)


def write_json(path: Path, value: Any) -> None:
    """The same of plain values, for people to read."""
    write(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def read_json(path: Path) -> Any:
    """None where there is none, or it holds no JSON. Raises OSError."""
    try:
        with open_regular(path) as file:
            return msgspec.json.decode(file.read(MOST_JSON))
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def put(made: Path, path: Path) -> None:
    """A file of ours that was written under another name, in the place of the former one. Raises OSError."""
    made.replace(path)


def remove(path: Path) -> None:
    """A file of ours that is not needed any more."""
    path.unlink(missing_ok=True)


def rename(source: Path, target: Path) -> None:
    """One step. Raises OSError."""
    source.rename(target)


def move(root: Path, source: str, target: str) -> str:
    """What lies at ``source`` below ``root`` to ``target``, whose folders are made; where it lies then.

    Nothing where nothing is there. Never in the place of something else: it is called a little different
    then. Raises OSError.
    """
    old, new = root / source, root / target
    if not os.path.lexists(old):
        return target
    is_there = new.parent.is_dir()
    new.parent.mkdir(parents=True, exist_ok=True)
    number, wanted = 1, new
    while os.path.lexists(new) and not _is_same(old, new):
        number += 1
        new = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    try:
        rename(old, new)
    except OSError:
        if not is_there:
            clear(new.parent)
        raise
    return new.relative_to(root).as_posix()


def _is_same(old: Path, new: Path) -> bool:
    """Another spelling of one name, where case means nothing."""
    with suppress(OSError):
        return old.samefile(new) and old.name.casefold() == new.name.casefold()
    return False


def clear(folder: Path) -> None:
    """Remove a folder that holds nothing but what systems leave there; else nothing is done."""
    with suppress(OSError):
        held = list(folder.iterdir())
        if all(path.name.lower() in JUNK for path in held):
            for path in held:
                path.unlink()
            folder.rmdir()


def clear_away(folder: Path) -> None:
    """Remove what a write left that was killed; nobody else writes there."""
    with suppress(OSError):
        for path in folder.glob(".promptlet-*.tmp"):
            path.unlink()
