"""Prompt files on disk: written whole or not at all, read with a bound."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from promptlet.errors import PromptFileError, why
from promptlet.promptfile.codec import dumps, loads
from promptlet.promptfile.container import MAX_FILE_BYTES
from promptlet.promptfile.record import PromptFile

_NEXT_STEP = {
    errno.ENOSPC: "the disk is full: free some space or save elsewhere",
    errno.EDQUOT: "your disk quota is used up: free some space or save elsewhere",
    errno.EFBIG: "the file would exceed the size allowed here: save elsewhere",
    errno.EACCES: "no permission: change it, or use another folder",
    errno.EPERM: "no permission: change it, or use another folder",
    errno.EROFS: "the disk is read-only: save elsewhere",
    errno.ENOTDIR: "a part of the path is a file, not a folder: check the path",
    errno.EISDIR: "it is a folder: give the name of a file",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
}


def save_prompt_file(
    path: str | os.PathLike[str], prompt: PromptFile, precision: str = "fp32", compact: bool = False
) -> int:
    """Write ``prompt`` to ``path`` and return the number of bytes; ``precision``, ``compact``: see `dumps`.

    The file appears whole or not at all: on any failure an older file stays as it was.
    """
    data = dumps(prompt, precision, compact)
    try:
        target = Path(os.path.realpath(path))  # a link keeps pointing where it points
        write_whole(target, data)
    except FileNotFoundError:
        raise PromptFileError(
            f"cannot save {path}: the folder {target.parent} does not exist: create it"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise PromptFileError(f"cannot save {path}: {reason_of(error)}") from error
    return len(data)


def write_whole(target: Path, data: bytes) -> None:
    """Put a file there, or in the place of one, whole or not at all. Raises OSError."""
    temporary = target.parent / f".promptlet-{secrets.token_hex(8)}.tmp"
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    try:
        _write_through(temporary, data)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load_prompt_file(path: str | os.PathLike[str]) -> PromptFile:
    """The prompt at ``path``, its tensors as float32."""
    try:
        data = _read_bounded(Path(path))
    except FileNotFoundError:
        raise PromptFileError(f"cannot load {path}: there is no such file: check the path") from None
    except (OSError, ValueError) as error:
        raise PromptFileError(f"cannot load {path}: {reason_of(error)}") from error
    try:
        return loads(data)
    except PromptFileError as error:
        raise PromptFileError(f"cannot load {path}: {error}") from None


def _write_through(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read_bounded(path: Path) -> bytes:
    mode = path.stat().st_mode  # before opening: a pipe would block
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError("it is no regular file")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise OSError(f"it is larger than {MAX_FILE_BYTES:,} bytes, which no prompt file is")
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


def reason_of(error: OSError | ValueError) -> str:
    """Why a file could not be written or read, and what to do, in words."""
    number = error.errno if isinstance(error, OSError) else None
    return _NEXT_STEP.get(number or 0) or why(error)
