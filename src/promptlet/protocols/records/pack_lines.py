"""The lines of a pack, from records: `packs.py` reads them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from promptlet.errors import PackError
from promptlet.protocols.records.packs import (
    FORMAT,
    FORMAT_SCHEMA,
    LEAST,
    LINE_LIMIT,
    SHARED,
    TOTAL_LIMIT,
    weight,
)


def pack_lines(records: Iterable[Mapping[str, Any]], planned: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """The lines of a pack; the same records and plan give the same lines.

    Raises PackError for numbers that are not finite and for more than a reader takes.
    """
    lists = _Lists()
    rows = [lists.without(record) for record in sorted(records, key=lambda record: str(record["key"]))]
    body = [*(_line({"planned": run}) for run in planned), *lists.lines.values(), *rows]
    header = {"format": FORMAT, "schema": FORMAT_SCHEMA, "records": len(rows), "digest": _digest(body)}
    lines = [_line(header), *body]
    total = lists.total + sum(max(len(line), LEAST) for line in body)
    if max(map(len, lines)) > LINE_LIMIT or total > TOTAL_LIMIT:
        raise PackError(
            f"{len(rows)} records are more than a pack takes ({TOTAL_LIMIT >> 20} MiB, {LINE_LIMIT >> 20} "
            "MiB a line); make several packs of fewer runs: a folder of packs is read as one"
        )
    return lines


def compressed(lines: Sequence[bytes], file: IO[bytes]) -> None:
    """Write lines as gzip without a name and a time, so that they alone decide the bytes."""
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as packed:
        packed.writelines(lines)


@dataclass
class _Lists:
    """The long lists of records, each once. total: their bytes, as often as records name them."""

    lines: dict[str, bytes] = field(default_factory=dict)
    total: int = 0

    def without(self, record: Mapping[str, Any]) -> bytes:
        """The line of a record that names its long lists, which are taken in here."""
        found = dict(record)
        for name in SHARED:
            values = found.get(name)
            if isinstance(values, dict):
                raise PackError(
                    f"{found['key']}: {name} is an object, which a pack takes for a reference to a list"
                )
            if isinstance(values, list) and len(values) > 1:
                content = _columns(values)
                digest = _digest([_line(content)])
                self.lines[digest] = _line({"list": digest, **content})
                self.total += weight(content, self.lines[digest])
                found[name] = {"list": digest}
        return _line(found)


def _columns(values: list[Any]) -> dict[str, Any]:
    """A list as it is, or by column where it is of objects with the same names in the same order."""
    names = list(values[0]) if isinstance(values[0], dict) else []
    if not names or any(not isinstance(one, dict) or list(one) != names for one in values):
        return {"values": values}
    return {"columns": {name: [one[name] for one in values] for name in names}}


def _line(content: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(content, allow_nan=False, separators=(",", ":")) + "\n").encode("ascii")
    except ValueError as error:
        raise PackError(f"{content.get('key', 'a list')}: cannot be packed ({error})") from error


def _digest(lines: Iterable[bytes]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for line in lines:
        found.update(line)
    return found.hexdigest()
