"""What was found good once on this machine: a file in the cache folder, a line for each."""

from __future__ import annotations

from contextlib import suppress

from promptlet.data.cache.features import default_folder

FILE_NAME = "agreed-1.txt"
MAX_BYTES = 1 << 20


def remembered() -> frozenset[str]:
    """All lines; none where the file is absent, damaged or too large."""
    try:
        path = default_folder() / FILE_NAME
        if path.stat().st_size > MAX_BYTES:
            return frozenset()
        return frozenset(path.read_text("ascii").split())
    except (OSError, ValueError, RuntimeError):  # RuntimeError: no home folder
        return frozenset()


def remember(line: str) -> None:
    """One more. Never in the way: where nothing can be written, nothing is remembered."""
    with suppress(OSError, RuntimeError):
        path = default_folder() / FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        begun_anew = path.exists() and path.stat().st_size > MAX_BYTES
        with path.open("w" if begun_anew else "a", encoding="ascii") as file:
            file.write(f"{line}\n")
