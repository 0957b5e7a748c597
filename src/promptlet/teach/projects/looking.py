"""What lies in a project's folder, looked at again where something changed, also by hand."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from promptlet.data.files import is_passed_over, open_regular
from promptlet.data.images.formats import has_image_name
from promptlet.teach.projects import acts
from promptlet.teach.projects.places import KNOWN, LOOSE, OWN_NAME, UNLABELLED, place

SETTLED: Final = 2.5
"""Seconds after which a folder that looks the same is the same: on some disks its time has steps of two."""
PIECE: Final = 1 << 20


class Found(NamedTuple):
    """Where an image lies: a folder below the project's, and a file in it."""

    folder: str
    file: str

    @property
    def path(self) -> str:
        """Below the project's folder."""
        return place(self.folder, self.file)


class _Listed(NamedTuple):
    """A folder as it was looked at. mark: of its time; at: when it was looked at."""

    mark: int
    at: float
    files: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass
class Looking:
    """images: by id where each lies, in no order that means anything. folders: those of classes, by name."""

    root: Path
    images: dict[str, Found] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    _listed: dict[str, _Listed] = field(default_factory=dict)
    _known: dict[str, list[Any]] = field(default_factory=dict)
    _is_known_read: bool = False

    def again(self) -> bool:
        """Look at what changed; whether anything did. Raises OSError where the folder cannot be listed."""
        before = self._listed
        top = self._look(LOOSE)
        listed = {LOOSE: top}
        for name in top.folders:
            with suppress(FileNotFoundError, NotADirectoryError):
                listed[name] = self._look(name)
        self._listed = listed
        if {name: one.files for name, one in before.items()} == {
            name: one.files for name, one in listed.items()
        } and all(one is before[name] or not self._has_strangers(one) for name, one in listed.items()):
            return False
        images = self._identified(listed)
        folders = tuple(sorted(name for name in listed if name not in (LOOSE, UNLABELLED)))
        is_same = images == self.images and folders == self.folders
        self.images, self.folders = images, folders
        return not is_same

    def _look(self, name: str) -> _Listed:
        """As it was, where its time says that nothing came or went."""
        folder = self.root / name if name else self.root
        mark, before = folder.stat().st_mtime_ns, self._listed.get(name)
        if before is not None and before.mark == mark and before.at - mark / 1e9 > SETTLED:
            return before
        at = time.time()
        files, folders = [], []
        with os.scandir(folder) as entries:
            for entry in entries:
                if not _is_text(entry.name):
                    continue
                if name == LOOSE and _is_folder(entry):
                    if entry.name == UNLABELLED or not is_passed_over(entry.name):
                        folders.append(entry.name)
                elif has_image_name(entry.name) and not is_passed_over(entry.name) and _is_file(entry):
                    files.append(entry.name)
        return _Listed(mark, at, tuple(sorted(files)), tuple(sorted(folders)))

    @staticmethod
    def _has_strangers(listed: _Listed) -> bool:
        return any(OWN_NAME.fullmatch(file) is None for file in listed.files)

    def _identified(self, listed: Mapping[str, _Listed]) -> dict[str, Found]:
        """Files of ours by their names, then others by their content. One content in two files is two images,
        of which the second has an id of its own."""
        images: dict[str, Found] = {}
        strangers, copies = [], []
        for folder, one in listed.items():
            for file in one.files:
                own, found = OWN_NAME.fullmatch(file), Found(folder, file)
                if own is None:
                    strangers.append(found)
                elif own[1] not in images:
                    images[own[1]] = found
                elif self.images.get(own[1]) == found:  # it was there first
                    copies.append(images[own[1]])
                    images[own[1]] = found
                else:
                    copies.append(found)
        strangers += copies
        self._name(strangers, images)
        return images

    def _name(self, strangers: list[Found], images: dict[str, Found]) -> None:
        if strangers:
            self._read_known()
        known: dict[str, list[Any]] = {}
        for found in strangers:
            with suppress(OSError):
                status = (self.root / found.path).stat()
                mark = [status.st_size, status.st_mtime_ns]
                before = self._known.get(found.path)
                content = before[2] if before and before[:2] == mark else content_id(self.root / found.path)
                known[found.path] = [*mark, content]
                images[next(one for one in _ids(content) if one not in images)] = found
        if known != self._known and (known or self._is_known_read):
            self._known = known
            with suppress(OSError):  # it only saves time
                acts.write_json(self.root / KNOWN, {"schema": 1, "files": known})

    def _read_known(self) -> None:
        if self._is_known_read:
            return
        self._is_known_read = True
        with suppress(OSError):
            found = acts.read_json(self.root / KNOWN)
            files = found.get("files") if isinstance(found, dict) else None
            for path, mark in files.items() if isinstance(files, dict) else ():
                if isinstance(mark, list) and len(mark) == 3 and isinstance(mark[2], str):
                    self._known[path] = mark


def content_id(path: Path) -> str:
    """The id of an image: the first half of the SHA-256 of its bytes, and half of that. Raises OSError."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()[:16]


def _ids(content: str) -> Iterator[str]:
    """Of the first file of a content, the second, ..."""
    yield content
    number = 1
    while True:
        number += 1
        yield hashlib.sha256(f"{content} {number}".encode("ascii")).hexdigest()[:16]


def _is_text(name: str) -> bool:
    """Whether JSON can hold it: not of a name in another encoding, which is half characters here."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
