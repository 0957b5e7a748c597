"""Files and folders as they are met on a disk: looked at before they are opened, so that nothing waits.

A pipe waits for a writer, a terminal for a person, ``/dev/zero`` never ends, and opening some devices acts on
them. So only regular files are opened, wherever a link leads. What cannot be opened raises OSError with its
reason in words; callers say what the file was for.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from promptlet.errors import DataError, why

MAX_TEXT_BYTES = 1 << 30
"""Of one text file; ImageNet's split file, the largest known, has an eighth of it."""
PASSED_OVER = frozenset(
    (
        *("__macosx", "icon\r", "network trash folder", "temporary items"),  # macOS
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),  # Windows
        *(
            "@eadir",
            "#recycle",
            "#snapshot",
            "@recycle",
            "@recently-snapshot",
            "@__thumb",
        ),  # disks in a network
        *("lost+found", "__pycache__", "picasa.ini"),
    )
)
"""What systems and programs leave in people's folders, in small letters; hidden names are not in it."""
_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_HOW = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def is_file(path: Path) -> bool:
    """Whether this is a regular file, or a link to one. Raises DataError where one may not look."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Whether this is a folder, or a link to one. Raises DataError where one may not look."""
    return stat.S_ISDIR(_mode(path))


def is_there(path: Path) -> bool:
    """Whether anything is there, of whatever kind. Raises DataError where one may not look."""
    return _mode(path) != 0


def is_passed_over(name: str) -> bool:
    """Whether a file or folder of this name is none of a person's own: hidden, or one of `PASSED_OVER`."""
    return name.startswith(".") or name.casefold() in PASSED_OVER


def list_folders(root: Path) -> list[Path]:
    """The folders in ``root``, by name; what `is_passed_over` is left out. Raises DataError."""
    try:
        found = [path for path in root.iterdir() if not is_passed_over(path.name)]
    except OSError as error:
        raise DataError(f"{root}: cannot be listed ({why(error)}); check its permissions") from error
    return sorted(path for path in found if is_folder(path))


def files_below(root: Path, on_error: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """Every file below ``root``, folder by folder and by name; what `is_passed_over` is left out.

    on_error: called where a folder cannot be listed; else such a folder counts as empty.
    """
    for folder, names, files in os.walk(root, onerror=on_error):
        names[:] = sorted(name for name in names if not is_passed_over(name))
        yield from (Path(folder, name) for name in sorted(files) if not is_passed_over(name))


def here() -> str:
    """The folder that relative paths start at, in words."""
    try:
        return str(Path.cwd())
    except OSError:
        return "the folder you are in, which is gone"


def open_regular(path: Path) -> IO[bytes]:
    """The file, opened to read bytes. Raises OSError for one that is not there or no regular file."""
    try:
        _check_regular(path.stat().st_mode)
        number = os.open(path, _HOW)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"no file can have this name: {error}") from error
    try:
        _check_regular(os.fstat(number).st_mode)  # it may have been replaced meanwhile
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def read_text(path: Path) -> str:
    """All of a text file in UTF-8, a byte order mark left out. Raises OSError, UnicodeDecodeError."""
    with open_regular(path) as file:
        check_length(file)
        return file.read().decode("utf-8-sig")


def check_length(file: IO[bytes]) -> None:
    """Raise OSError for a file longer than any text that is read."""
    length = os.fstat(file.fileno()).st_size
    if length > MAX_TEXT_BYTES:
        raise OSError(errno.EFBIG, f"it has {length:,} bytes, more than the {MAX_TEXT_BYTES:,} that are read")


def portable(folder: Path, name: str) -> Path:
    """``folder`` / ``name``, where ``name`` may be written with Windows' backslashes, and with its accents
    composed or not: ``é`` is one character (NFC) or two (NFD), as the system liked that wrote it.

    A file with just that name comes first.
    """
    plain = folder / name
    if (name.isascii() and "\\" not in name) or is_there(plain):
        return plain
    slashed = name.replace("\\", "/")
    if is_there(folder / slashed):
        return folder / slashed
    return _in_other_accents(folder, slashed) or folder / slashed


def _in_other_accents(folder: Path, name: str) -> Path | None:
    """What is there under a name that differs by its accents' form alone, in each part of the path."""
    place = folder
    for part in Path(name).parts:
        if not is_there(place / part):
            forms = (unicodedata.normalize(form, part) for form in ("NFC", "NFD"))
            part = next((form for form in forms if is_there(place / form)), "")
            if not part:
                return None
        place /= part
    return place


def _mode(path: Path) -> int:
    """0 where there is nothing."""
    try:
        return path.stat().st_mode
    except ValueError:  # NUL, or half a character: no file has such a name
        return 0
    except OSError as error:
        if error.errno in _NOTHING:
            return 0
        raise DataError(f"{path}: cannot be looked at ({why(error)}); check its permissions") from error


def _check_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file, but a device, a pipe or a socket")
