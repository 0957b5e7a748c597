"""Are image files there, and can they be opened?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from promptlet.data.images.opening import image_in_turn, is_file
from promptlet.errors import ImageError

CHUNK = 1024
THREADS = min(8, os.cpu_count() or 1)


def not_there(paths: Iterable[Path]) -> Iterator[Path]:
    """Those that are no files; every folder is listed once."""
    folders: dict[Path, set[str]] = {}
    for path in paths:
        if path.parent not in folders:
            folders[path.parent] = _files_in(path.parent)
        if path.name not in folders[path.parent]:
            yield path


def unreadable(paths: Sequence[Path], on_progress: Callable[[int, int], None]) -> list[str]:
    """What is wrong with each image that cannot be opened; they are decoded in several threads.

    on_progress(done, total) after every `CHUNK` of them.
    """
    rest = iter(paths)
    done = 0
    problems: list[str] = []
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(rest, CHUNK)):
            problems += filter(None, pool.map(_why_unreadable, chunk))
            done += len(chunk)
            on_progress(done, len(paths))
    return problems


def _files_in(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if is_file(entry)}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _why_unreadable(path: Path) -> str:
    try:
        with image_in_turn(path):
            return ""
    except ImageError as error:
        return str(error)
