"""What is written appears whole or not at all, and never in the place of something else unasked."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from promptlet.disk import put_folder, room_problem
from promptlet.errors import OptionError, why


@contextmanager
def whole(path: Path, needed: int) -> Iterator[Path]:
    """A name beside ``path`` for a file or folder of about so many bytes, which takes its place at the end.

    What the block raises leaves nothing behind. Raises OptionError where it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    problem = room_problem(path.parent, needed) if path.parent.is_dir() else "there is no such folder"
    if problem:
        raise OptionError(f"{path} cannot be written into {path.parent} ({problem}); write elsewhere")
    try:
        yield draft
        if draft.is_dir():
            put_folder(draft, path)
        else:
            os.replace(draft, path)  # noqa: PTH105 (atomic on every system, and named for it)
    except (OSError, sqlite3.Error) as error:  # Qdrant writes SQLite
        raise OptionError(f"{path} cannot be written ({why(error)}); write elsewhere") from error
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        draft.unlink(missing_ok=True)


def check_free(path: Path, force: bool) -> None:
    """Raise OptionError where something is there already that may not be written over."""
    if path.is_symlink() or (path.exists() and not force):
        raise OptionError(f"--out {path} exists already; give another name, or --force to write over it")
