"""Many runs in one file that never changes: JSON Lines, gzipped (docs/reference/result-packs.md).

{"format": "promptlet-results", "schema": 1, "records": 468, "digest": "5f..."}   digest: of all lines below
{"planned": {"key": ...}}                                  a run that was asked for
{"list": "0c...", "values": ["train/cat/1.jpg", ...]}      a draw, or a history, once for all its records
{"list": "b7...", "columns": {"epoch": [1, 2], ...}}       objects that are alike, by column
{"schema": 1, "status": "done", "key": ..., "samples": {"list": "0c..."}, ...}      a record
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from promptlet.errors import PackError, shown
from promptlet.protocols.records.trust import problem_of_any_planned, strict_json
from promptlet.typed import what_is_wrong

SUFFIX = ".jsonl.gz"
FORMAT, FORMAT_SCHEMA = "promptlet-results", 1
SHARED = ("samples", "val_samples", "history")
"""Fields of records whose lists stand in lines of their own."""
LINE_LIMIT, TOTAL_LIMIT, LEAST = 1 << 24, 1 << 28, 512
"""Bytes of a line, and of all records as single files would hold them; a line counts as ``LEAST`` or more. A
small file can unpack to very much, the more so where many records name one list."""
KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,199}")
"""A key becomes the name of a file, so that it may hold nothing else."""
AWAY = "take an intact copy, or move it away"


def is_pack(path: Path) -> bool:
    """Whether a path is, or would be, a pack: its name says so, and it is no folder.

    Raises PackError where that cannot be seen.
    """
    return path.name.endswith(SUFFIX) and not seen(path).is_dir()


def is_foreign(path: Path) -> bool:
    """Whether a file with the name of a pack is an intact one of something else, or no file at all.

    What is empty, or cannot be read to its end, might be a damaged pack.
    """
    if not path.is_file():
        return path.exists()
    try:
        with gzip.open(path, "rb") as file:
            first, left = file.readline(LINE_LIMIT), TOTAL_LIMIT
            while left > 0 and (more := file.read(1 << 20)):
                left -= len(more)
    except (OSError, EOFError, zlib.error):
        return False
    return bool(first) and left > 0 and (_object(first) or {}).get("format") != FORMAT


def seen(path: Path) -> Path:
    """The path. Raises PackError where the disk does not say what is there."""
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise PackError(
            f"{str(path)[:300]}: cannot be used ({error.strerror}); give another place"
        ) from error
    return path


class Listed(TypedDict, total=False):
    """A line that tells a list: one of the two."""

    values: list[Any]
    columns: dict[str, list[Any]]


@dataclass(frozen=True)
class Pack:
    """A pack, read and checked as a whole. Its lines are kept as text, so that every record is read anew.

    records, lists: lines by key, by digest. plans: a line for each run that was asked for.
    """

    path: Path
    records: dict[str, bytes] = field(default_factory=dict)
    lists: dict[str, bytes] = field(default_factory=dict)
    plans: list[bytes] = field(default_factory=list)

    @property
    def planned(self) -> Iterator[dict[str, Any]]:
        """The runs that were asked for."""
        return (json.loads(line)["planned"] for line in self.plans)

    def record(self, key: str) -> dict[str, Any]:
        """The record of a key in ``records``, as its own file would hold it."""
        record: dict[str, Any] = json.loads(self.records[key])
        for name in SHARED:
            if isinstance(record.get(name), dict):
                record[name] = _values(json.loads(self.lists[record[name]["list"]]))
        return record


def open_pack(path: Path) -> Pack:
    """Read a pack. Raises PackError when it is not there, damaged, of a newer format or too large."""
    if path.exists() and not path.is_file():
        raise PackError(f"{path}: not a file, so no pack of results; give one, or move it away")
    try:
        with path.open("rb") as raw, gzip.GzipFile(fileobj=raw, mode="rb") as file:
            return _read(path, _lines(path, file))
    except FileNotFoundError as error:
        if path.is_symlink():
            raise PackError(f"{path}: a link to a pack that is not there; mend or remove the link") from error
        raise PackError(
            f"{path}: no such pack of results; `promptlet bench pack RUNS -o` makes one"
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, f"gzip says: {error}") from error
    except OSError as error:
        raise PackError(f"{path}: cannot be read ({error.strerror})") from error


def _values(content: Mapping[str, Any]) -> list[Any]:
    """The list that a line tells, as it is or by column."""
    if "values" in content:
        return list(content["values"])
    columns = content["columns"]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def weight(content: Mapping[str, Any], line: bytes) -> int:
    """About how many bytes a list has in the file of a record that names it; rows repeat their names."""
    columns = content.get("columns") or {}
    rows = len(next(iter(columns.values()), ()))
    return len(line) + rows * sum(len(name) + 6 for name in columns)


def _lines(path: Path, file: gzip.GzipFile) -> Iterator[bytes]:
    """The lines of a file, as long as none is longer than the limit."""
    while line := file.readline(LINE_LIMIT + 1):
        if len(line) > LINE_LIMIT:
            raise _too_large(path)
        if not line.endswith(b"\n"):
            raise _damaged(path, "its last line is not whole")
        yield line


def _read(path: Path, lines: Iterator[bytes]) -> Pack:
    header = _header(path, next(lines, b""))
    reader, found = _Reader(Pack(path)), hashlib.blake2b(digest_size=16)
    for number, line in enumerate(lines, 2):
        found.update(line)
        wrong = reader.take(line)
        if wrong:
            raise _damaged(path, f"line {number}: {wrong}")
        if reader.total > TOTAL_LIMIT:
            raise _too_large(path)
    if found.hexdigest() != header.get("digest"):
        raise _damaged(path, "its lines are not those that its digest is of")
    count = len(reader.pack.records)
    if header.get("records") != count:
        raise _damaged(path, f"it holds {count} records, not {shown(header.get('records'))}")
    return reader.pack


def _header(path: Path, line: bytes) -> dict[str, Any]:
    content = _object(line)
    if content is None or content.get("format") != FORMAT:
        raise PackError(
            f"{path}: not a pack of results (its first line does not say so); give a file that `promptlet "
            "bench pack` wrote, and move other files out of folders of results"
        )
    if content.get("schema") != FORMAT_SCHEMA:
        raise PackError(
            f"{path}: a pack of schema {shown(content.get('schema'))}, this version of Promptlet reads "
            f"{FORMAT_SCHEMA}; update Promptlet, or move the pack away"
        )
    return content


@dataclass
class _Reader:
    """Fills a pack, line by line. total: bytes so far, of lines and of what records name."""

    pack: Pack
    weights: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def take(self, line: bytes) -> str:
        """Add a line; what is wrong with it, or an empty text."""
        self.total += max(len(line), LEAST)
        content = _object(line)
        if content is None:
            return "it is not a JSON object"
        if "key" in content:
            return self._take_record(content, line)
        if "list" in content:
            return self._take_list(content, line)
        run = content.get("planned")
        if not isinstance(run, dict) or not is_key(run.get("key")):
            return "it is no record, no list and no planned run"
        wrong = problem_of_any_planned(run)
        if wrong:
            return f"of a planned run {wrong}"
        self.pack.plans.append(line)
        return ""

    def _take_record(self, content: Mapping[str, Any], line: bytes) -> str:
        key = content["key"]
        if not is_key(key):
            return f"{shown(key)} is no key of a run"
        if key in self.pack.records:
            return f"{key} is there twice"
        for name in SHARED:
            told = content.get(name)
            if isinstance(told, dict):
                digest = told.get("list")
                if len(told) != 1 or not isinstance(digest, str) or digest not in self.weights:
                    return f"{name} of {key} is not there"
                self.total += self.weights[digest]
        self.pack.records[key] = line
        return ""

    def _take_list(self, content: Mapping[str, Any], line: bytes) -> str:
        digest, columns = content["list"], content.get("columns")
        if not isinstance(digest, str) or digest in self.weights:
            return f"the list {shown(digest)} is there twice, or has no name"
        wrong = what_is_wrong(content, Listed)
        if wrong or ("values" in content) == ("columns" in content):
            return f"the list {shown(digest)} has neither values nor columns" + (
                f": {wrong}" if wrong else ""
            )
        if columns is not None and len({len(one) for one in columns.values()}) != 1:
            return f"the columns of {shown(digest)} are not of one length"
        self.pack.lists[digest], self.weights[digest] = line, weight(content, line)
        return ""


def is_key(value: object) -> bool:
    """Whether it can be the key of a run."""
    return isinstance(value, str) and KEY.fullmatch(value) is not None


def _object(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line, or None."""
    try:
        content = strict_json(line.decode("utf-8"))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _damaged(path: Path, what: str) -> PackError:
    return PackError(f"{path}: a damaged pack of results ({what}); {AWAY}")


def _too_large(path: Path) -> PackError:
    return PackError(
        f"{path}: unpacks to more than {TOTAL_LIMIT >> 20} MiB, or {LINE_LIMIT >> 20} MiB a line, which no "
        f"pack of results does; {AWAY}"
    )
