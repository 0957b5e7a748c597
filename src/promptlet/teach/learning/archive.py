"""A project as one zip that is made while it is sent; pictures are not packed, which makes none smaller."""

from __future__ import annotations

import io
import os
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from promptlet.teach.projects.places import ANSWERS, PROMPT, RECORD, UNLABELLED
from promptlet.teach.projects.project import Seen

PIECE: Final = 1 << 18
FIRST: Final = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can tell."""
_STRANGE: Final = re.compile(r'[\x00-\x1f<>:"/\\|?*]')


class _Pipe(io.RawIOBase):
    """What was written and not taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._held.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        """All of it."""
        found = b"".join(self._held)
        self._held.clear()
        return found


def archive(look: Callable[[], Seen], prompt: Path) -> Iterator[bytes]:
    """project.json with the result, the images by class, those without one in ``.unlabelled``, the prompt
    file, and what was said of photos that were held back.

    look: the project as it is now; an image that was moved meanwhile is found where it is, and one that was
    removed is left out. Folders have names that every system can make.
    """
    seen, pipe = look(), _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED, allowZip64=True) as file:
        learned = [(prompt, f"{seen.id}{PROMPT}", ""), (seen.root / ANSWERS, ANSWERS, "")]
        files = [(seen.root / RECORD, RECORD, ""), *_images(seen), *learned]
        for path, name, image in files:
            yield from _added(file, pipe, path, name, image, look)
    yield pipe.taken()


def _images(seen: Seen) -> Iterator[tuple[Path, str, str]]:
    """Path, name in the zip, and id."""
    taken: set[str] = set()
    groups = [(one.name, one.images) for one in seen.classes] + [(UNLABELLED, seen.unlabelled)]
    for name, images in groups:
        folder = _safe(name)
        while folder.casefold() in taken:
            folder += "-2"
        taken.add(folder.casefold())
        for image in images:
            path = seen.path(image)
            yield path, f"{folder}/{_safe(path.name)}", image


def _safe(name: str) -> str:
    """A name that no system takes for more than one, nor for a place elsewhere."""
    plain = _STRANGE.sub("_", name.encode("utf-8", "replace").decode()).rstrip(". ")
    return plain if plain and not set(plain) <= {"."} else "_"


def _added(
    file: zipfile.ZipFile, pipe: _Pipe, path: Path, name: str, image: str, look: Callable[[], Seen]
) -> Iterator[bytes]:
    try:
        source = path.open("rb")
    except OSError:
        try:
            source = look().path(image).open("rb")
        except (OSError, KeyError):
            return
    with source:
        info = zipfile.ZipInfo(name, max(FIRST, time.localtime(os.fstat(source.fileno()).st_mtime)[:6]))
        info.external_attr = 0o644 << 16
        with file.open(info, "w", force_zip64=False) as target:
            while piece := source.read(PIECE):
                target.write(piece)
                yield pipe.taken()
    yield pipe.taken()
