"""A file on a disk: written whole or not at all, and read with a bound."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from promptlet.data.files import open_regular
from promptlet.errors import ExportError
from promptlet.promptfile.files import reason_of

Writer = Callable[[IO[bytes]], None]


def write_whole(path: Path, write: Writer, force: bool = False) -> None:
    """Let ``write`` fill a file beside ``path`` and put it there. force: in the place of one that is there.

    Raises ExportError; whatever happens, a file that was there is whole.
    """
    temporary = path.parent / f".promptlet-{secrets.token_hex(8)}.tmp"
    try:
        check_place(path, force)
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise ExportError(f"cannot write {path}: {reason_of(error)}") from error


def check_place(path: Path, force: bool = False) -> None:
    """Raise ExportError where no file can be made of this name, or one is there."""
    if path.is_dir():
        raise ExportError(f"cannot write {path}: it is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise ExportError(f"cannot write {path}: the folder {path.parent} does not exist: create it")
    if os.path.lexists(path) and not force:
        raise ExportError(f"cannot write {path}: it is there already; give another name, or --force")


@contextmanager
def opened(path: Path, most: int) -> Iterator[IO[bytes]]:
    """The file, of up to ``most`` bytes. ExportError raised in the block gets the path before it."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise ExportError(f"it has {size:,} bytes, more than the {most:,} that are read")
            yield file
    except FileNotFoundError:
        raise ExportError(f"cannot read {path}: there is no such file: check the path") from None
    except OSError as error:
        raise ExportError(f"cannot read {path}: {reason_of(error)}") from error
    except MemoryError as error:
        raise ExportError(f"cannot read {path}: there is not memory enough") from error
    except ExportError as error:
        raise ExportError(f"cannot read {path}: {error}") from error.__cause__
