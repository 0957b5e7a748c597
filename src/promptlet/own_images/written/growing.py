"""A file of lines that grows batch by batch, and a note beside it of how far it goes and what made it.

FILE          whole lines; a stop while a batch is written may leave a part of it behind
FILE.resume   {"schema": 1, "made_with": {...}, "bytes": N, "digest": "..."}: the first N bytes are whole
              batches, with this digest. What follows them is cut off before more is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Annotated, Any, TypedDict

from filelock import FileLock, Timeout
from msgspec import Meta

from promptlet.data.files import open_regular
from promptlet.errors import OptionError, shown, why
from promptlet.typed import Count, what_is_wrong

SCHEMA = 1
MOST_BYTES = 1 << 26
"""Of a note: it holds the names of all classes."""
_CHUNK = 1 << 20
BEGIN_ANEW = "give --force to begin anew, or --out another name"


class Note(TypedDict):
    """What a note holds."""

    schema: Annotated[int, Meta(ge=SCHEMA, le=SCHEMA)]
    made_with: dict[str, Any]
    bytes: Count
    digest: str


def note_of(path: Path) -> Path:
    """The note that lies beside a file."""
    return path.with_name(f"{path.name}.resume")


class GrowingFile:
    """Opened by `begin` or `go_on`; `add` leaves it whole whatever happens meanwhile.

    head: its first lines.
    """

    def __init__(self, path: Path, note: Path, made_with: Mapping[str, Any], head: str = "") -> None:
        self.path, self.note, self.made_with, self.head = path, note, dict(made_with), head
        self._file: FileIO | None = None
        self._lock_file = note.with_name(f"{note.name}.lock")
        self._held = FileLock(self._lock_file)
        self._length = 0
        self._digest = hashlib.blake2b(digest_size=16)

    @property
    def is_open(self) -> bool:
        """Whether more can be added."""
        return self._file is not None

    def begin(self) -> None:
        """A file with nothing but its head, in the place of any other. Raises OptionError, OSError."""
        self.lock()
        self._file = self.path.open("wb", buffering=0)
        self._length, self._digest = 0, hashlib.blake2b(digest_size=16)
        self.add(self.head)

    def go_on(self) -> None:
        """Open what is there for more, without what a stop left of a batch. Raises OptionError where it is
        not what the note says, OSError."""
        self.lock()
        known = read_note(self.note, self.path)
        self._digest = hashlib.blake2b(digest_size=16)
        with open_regular(self.path) as file:
            left = known["bytes"]
            while chunk := file.read(min(_CHUNK, left)):
                self._digest.update(chunk)
                left -= len(chunk)
        if left or self._digest.hexdigest() != known["digest"]:
            raise OptionError(
                f"--resume: {self.path} was changed since it was written, and nothing is added to it; "
                f"{BEGIN_ANEW}"
            )
        self._length = known["bytes"]
        self._file = self.path.open("r+b", buffering=0)
        self._file.truncate(self._length)
        self._file.seek(self._length)
        if not self._length:  # not even its head could be written
            self.add(self.head)

    def add(self, lines: str) -> None:
        """Append whole lines. Raises OSError; then, and where a signal comes between, they are not there."""
        if self._file is None:
            raise ValueError("neither begun nor gone on with")
        data = lines.encode("utf-8", "backslashreplace")
        digest = self._digest.copy()
        digest.update(data)
        try:
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
            self._write_note(self._length + len(data), digest.hexdigest())
        except BaseException:
            self._file.truncate(self._length)
            self._file.seek(self._length)
            with suppress(OSError):  # the disk is full: it was not written
                self._write_note(self._length, self._digest.hexdigest())
            raise
        self._length, self._digest = self._length + len(data), digest

    def lines(self) -> Iterator[str]:
        """Of what is there so far."""
        with self.path.open(encoding="utf-8", newline="") as file:
            yield from file

    def close(self) -> None:
        """Let the file go; it may be opened anew."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._held.is_locked:  # else it is another's
            with suppress(OSError):
                self._lock_file.unlink(missing_ok=True)
            self._held.release()

    def lock(self) -> None:
        """Keep other processes away from the file; the system frees it when this one dies. Raises OptionError
        where another has it."""
        if self._held.is_locked:
            return
        try:
            self._held.acquire(timeout=0)
        except Timeout as error:
            raise OptionError(
                f"--out {self.path} is being written by another process; wait for it, or give another name"
            ) from error

    def _write_note(self, length: int, digest: str) -> None:
        content = {"schema": SCHEMA, "made_with": self.made_with, "bytes": length, "digest": digest}
        temporary = self.note.with_name(f".promptlet-{secrets.token_hex(8)}.tmp")
        try:
            temporary.write_text(json.dumps(content, allow_nan=False), encoding="ascii")
            temporary.replace(self.note)
        finally:
            temporary.unlink(missing_ok=True)


def read_note(note: Path, path: Path) -> Note:
    """Raises OptionError where there is none, or it is none of ours."""
    try:
        with open_regular(note) as file:
            content = json.loads(file.read(MOST_BYTES))
    except FileNotFoundError:
        raise OptionError(
            f"--resume: {path} is there without {note.name}, which says what it was made with; {BEGIN_ANEW}"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(
            f"--resume: {note} cannot be read ({why(error)}), and without it nothing is added to {path}; "
            f"{BEGIN_ANEW}"
        ) from None
    wrong = what_is_wrong(content, Note)
    if wrong:
        raise OptionError(f"--resume: {note} is damaged ({wrong}); {BEGIN_ANEW}")
    found: Note = content
    return found


def check_same(made_with: Mapping[str, Any], known: Mapping[str, Any], path: Path) -> None:
    """Raise OptionError that says what differs from how ``path`` was made."""
    for name in [*made_with, *known]:
        now, then = made_with.get(name), known.get(name)
        if now != then:
            raise OptionError(
                f"--resume: {path} was made with another {name} ({shown(then)}, now {shown(now)}); give the "
                f"same, or {BEGIN_ANEW.removeprefix('give ')}"
            )
