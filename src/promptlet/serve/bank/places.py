"""A folder of prompt files, or a place that fsspec reads, such as an object store."""

from __future__ import annotations

import datetime
import errno
import hashlib
import os
import stat
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from promptlet.data.files import open_regular
from promptlet.errors import MissingExtraError, ServiceError, why
from promptlet.promptfile.container import MAX_FILE_BYTES
from promptlet.promptfile.files import write_whole
from promptlet.serve.bank.sources import SUFFIX, Seen, Source, name_of, unnameable

LEFT_BEHIND = 60.0
"""Seconds after which a temporary file of ours is nobody's any more: of a program that was killed while it
wrote a few kilobytes."""
TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")
IDENTITIES = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "generation",
    "VersionId",
    "version_id",
    "ino",
    *TIMES,
)
"""What file systems of fsspec tell of a file that changes with it."""


def open_source(place: str | Path) -> Source:
    """The folder, or the place with an address such as ``s3://bucket/prompts``. Raises ServiceError."""
    text = str(place)
    if "://" in text and not text.startswith("file://"):
        return StoreSource(text)
    folder = Path(text.removeprefix("file://"))
    if not folder.is_dir():
        raise ServiceError(
            f"the folder of prompts {str(folder)!r} is {'no folder' if folder.exists() else 'not there'}; "
            "make it, or give another place"
        )
    return FolderSource(folder)


class FolderSource:
    """A folder. Links are followed to regular files alone; what is put takes the place of a link itself."""

    at_once = 1  # the checks take longer than the disk

    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder
        self.where = str(folder)
        self._folder = folder

    def look(self, names: Iterable[str] | None = None) -> dict[str, Seen]:
        """As in `Source`."""
        if names is not None:
            looked = {name: self._seen(self._path(name), name) for name in names}
            return {name: one for name, one in looked.items() if one is not None}
        found = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                name = name_of(entry.name)
                if name is None:
                    _clear_away(entry)
                seen = None if name is None else self._seen(entry, name)
                if name is not None and seen is not None:
                    found[name] = seen
        return found

    def read(self, name: str) -> bytes:
        """As in `Source`."""
        with open_regular(self._path(name)) as file:
            return file.read(MAX_FILE_BYTES + 1)

    def write(self, name: str, data: bytes) -> None:
        """As in `Source`."""
        write_whole(self._path(name), data)
        self._settle()

    def delete(self, name: str) -> None:
        """As in `Source`."""
        self._path(name).unlink()
        self._settle()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"

    def _seen(self, entry: os.DirEntry[str] | Path, name: str) -> Seen | None:
        """None where nothing is there."""
        try:
            status = entry.stat()
        except OSError as error:
            if error.errno == errno.ENOENT and not Path(entry).is_symlink():
                return None
            reason = "a link that leads nowhere" if Path(entry).is_symlink() else why(error)
            return Seen(0, 0.0, 0.0, None, reason)
        mark = struct.pack(
            "<qqqQ",
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_size,
            (status.st_ino ^ status.st_dev << 1) & (1 << 64) - 1,
        )
        problem = unnameable(name)
        if not stat.S_ISREG(status.st_mode):
            problem = "it is no regular file"
        changed = max(status.st_mtime, status.st_ctime)
        return Seen(status.st_size, status.st_mtime, changed, mark, problem)

    def _settle(self) -> None:
        """A rename is on the disk once its folder is, where a system can do that."""
        with suppress(OSError):
            number = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(number)
            finally:
                os.close(number)


def _clear_away(entry: os.DirEntry[str]) -> None:
    """What a write left that was killed."""
    if entry.name.startswith(".promptlet-") and entry.name.endswith(".tmp"):
        with suppress(OSError):
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFT_BEHIND:
                Path(entry.path).unlink()


class StoreSource:
    """A place that fsspec reads. Object stores put a file there at once; other places (such as sftp) write it
    bit by bit, and until all of it is there, it is told as being written."""

    folder: Path | None = None
    at_once = 16  # each waits for the network

    def __init__(self, address: str) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise MissingExtraError(
                f"{address!r} is read by fsspec, which is not installed; install it: pip install "
                "'promptlet[serve]'"
            ) from error
        try:
            self._files, self._root = fsspec.core.url_to_fs(address)
            self._files.invalidate_cache()
            self._files.ls(self._root, detail=True)
        except Exception as error:  # whatever the library behind an address raises
            raise ServiceError(f"the prompts at {address!r} cannot be listed: {why(error)}") from error
        self.where = address

    def look(self, names: Iterable[str] | None = None) -> dict[str, Seen]:
        """As in `Source`."""
        with _as_os_errors():
            self._files.invalidate_cache()
            if names is None:
                infos = self._files.ls(self._root, detail=True)
            else:
                infos = [info for name in names if (info := self._info(name)) is not None]
        found = {}
        for info in infos:
            name = name_of(str(info["name"]).rstrip("/").rpartition("/")[2])
            if name is not None:
                found[name] = _seen(info, name)
        return found

    def read(self, name: str) -> bytes:
        """As in `Source`."""
        with _as_os_errors(), self._files.open(self._path(name), "rb") as file:
            data: bytes = file.read(MAX_FILE_BYTES + 1)
        return data

    def write(self, name: str, data: bytes) -> None:
        """As in `Source`."""
        with _as_os_errors():
            self._files.pipe_file(self._path(name), data)

    def delete(self, name: str) -> None:
        """As in `Source`."""
        with _as_os_errors():
            if not self._files.exists(self._path(name)):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{str(self._root).rstrip('/')}/{name}{SUFFIX}"

    def _info(self, name: str) -> dict[str, Any] | None:
        try:
            info: dict[str, Any] = self._files.info(self._path(name))
        except FileNotFoundError:
            return None
        return info


class _as_os_errors:  # noqa: N801 - reads as a function
    """What the libraries behind fsspec raise, each its own errors, as OSError."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, OSError):
            raise OSError(errno.EIO, why(error)) from error


def _seen(info: dict[str, Any], name: str) -> Seen:
    size = int(info.get("size") or 0)
    told = [(key, str(info[key])) for key in IDENTITIES if info.get(key) is not None]
    mark = hashlib.blake2b(repr((size, told)).encode(), digest_size=16).digest() if told else None
    modified = max((_seconds(info[key]) for key in TIMES if info.get(key) is not None), default=0.0)
    problem = unnameable(name) or ("" if info.get("type", "file") == "file" else "it is no file")
    return Seen(size, modified, modified, mark, problem)


def _seconds(moment: Any) -> float:
    """Since 1970, of what file systems give as a time; 0 for what is none."""
    if isinstance(moment, str):
        with suppress(ValueError):
            moment = datetime.datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if isinstance(moment, datetime.datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
        return aware.timestamp()
    return float(moment) if isinstance(moment, int | float) else 0.0
