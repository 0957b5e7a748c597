"""Room on a disk: looked for before work begins, and held for what must be written at its end."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from promptlet.errors import why

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The disk, a person's share of it, or what one file may take."""
PROBE: Final = 2**16
"""Bytes that are really written to see whether that is possible; room for more is asked of the system."""


def is_full(error: BaseException | None) -> bool:
    """Whether it, or what it was raised from, says that there is no room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__
    return False


def room_problem(folder: Path, needed: int = PROBE) -> str:
    """Why ``needed`` bytes cannot be written into ``folder``, in a few words; nothing where they can."""
    try:
        _probe(folder, min(needed, PROBE))
        free = shutil.disk_usage(folder).free
        if free < needed:
            return f"{needed / 2**20:,.1f} MiB are needed there, {free / 2**20:,.1f} MiB are free"
    except OSError as error:
        if error.errno == errno.ENOENT and folder.is_dir():
            return "the system makes no files there"
        return why(error)
    return ""


def has_no_room(folder: Path) -> bool:
    """Whether not even a little can be written into it: some libraries say other things of a full disk."""
    try:
        _probe(folder, PROBE)
    except OSError as error:
        return is_full(error)
    return False


def nearest(folder: Path) -> Path:
    """The folder, or what there is of the way to it."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def put_folder(made: Path, target: Path) -> None:
    """Rename a folder to ``target``; one that is there goes away when that is done, else it stays."""
    if not target.exists():
        made.rename(target)
        return
    before = target.parent / f".promptlet-{secrets.token_hex(8)}.tmp"
    target.rename(before)
    try:
        made.rename(target)
    except BaseException:
        with suppress(OSError):
            before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)


class Reserve:
    """Room that is held by a file, and let go when something must be written."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size

    def hold(self) -> None:
        """Take the room. Raises OSError where there is none."""
        try:
            _fill(self.path, self.size)
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Give the room back."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def _probe(folder: Path, size: int) -> None:
    """Write so many bytes into a file of its own, and remove it. Raises OSError."""
    path = folder / f".promptlet-{secrets.token_hex(8)}.tmp"
    try:
        _fill(path, size)
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _fill(path: Path, size: int) -> None:
    """With bytes that no disk can make smaller."""
    with path.open("wb") as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())
