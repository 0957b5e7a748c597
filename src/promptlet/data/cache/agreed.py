"""What was found good once on this machine: a file in the cache folder, a line for each.

Every line begins with its checksum: one that is damaged, or half written, is not there.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from promptlet.data.cache.features import default_folder
from promptlet.errors import DataError, why

FILE_NAME, LOCK_NAME = "agreed-1.txt", "agreed-1.lock"
MAX_BYTES = 1 << 20
MOST_SECONDS = 30.0
"""That one process waits for what another finds out."""


def remembered() -> frozenset[str]:
    """All lines; none where the file is absent or too large."""
    try:
        path = default_folder() / FILE_NAME
        if path.stat().st_size > MAX_BYTES:
            return frozenset()
        words = path.read_text("ascii", errors="replace").split()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: no home folder
        return frozenset()
    parts = (word.partition(":") for word in words)
    return frozenset(line for check, _, line in parts if line and check == _checksum(line))


def remember(line: str) -> None:
    """One more. Never in the way: where nothing can be written, nothing is remembered."""
    with suppress(OSError, RuntimeError):
        path = default_folder() / FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        begun_anew = path.exists() and path.stat().st_size > MAX_BYTES
        with path.open("w" if begun_anew else "a", encoding="ascii") as file:
            file.write(f"{_checksum(line)}:{line}\n")


def forget() -> int:
    """Remove all; how many lines there were. Raises DataError where the file cannot be removed."""
    count = len(remembered())
    for name in (FILE_NAME, LOCK_NAME):
        path = default_folder() / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"{path}: cannot be removed ({why(error)}); remove it by hand") from error
    return count


@contextmanager
def in_turn() -> Iterator[None]:
    """For what only one process is to find out at a time; the others then read what it has remembered. Not in
    the way either: where no lock can be had, or it takes too long, all go on."""
    from filelock import FileLock, Timeout

    with ExitStack() as stack:
        with suppress(OSError, RuntimeError, NotImplementedError, Timeout):
            folder = default_folder()
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / LOCK_NAME, timeout=MOST_SECONDS))
        yield


def _checksum(line: str) -> str:
    return f"{zlib.crc32(line.encode('utf-8', 'surrogatepass')):08x}"
