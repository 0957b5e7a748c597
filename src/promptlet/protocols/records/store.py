"""A folder of results, one JSON file per run: written whole, read with suspicion, shared by processes.

DIR/KEY.json          a record: {"schema": 1, "status": "done" | "failed", ...}
DIR/plans/HASH.json   which runs were asked for, so that a report can say what is missing
DIR/trained/          what trainings left for other runs (trained.py)
DIR/.locks/KEY.lock   held by the process that runs KEY; the system frees it when that process dies
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptlet.errors import DataError
from promptlet.protocols.records.measures import MEASURES, TRANSFERS

SCHEMA = 1
STATUSES = ("done", "failed")
NUMBERS = ("seconds", "trainable", "file_bytes")
TEXTS = ("protocol", "dataset", "data", "method", "sampler", "fingerprint")


class RunStore:
    """The results in ``folder``. Nothing is kept in memory: another process may add to it at any time."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def read(self, key: str) -> dict[str, Any] | None:
        """The record of a run; None when there is none that can be trusted."""
        path = self.folder / f"{key}.json"
        if not path.exists():
            return None
        record, problem = _read_record(path)
        return None if problem else record

    def is_done(self, key: str) -> bool:
        """Whether the run was finished; a failed one was not."""
        record = self.read(key)
        return record is not None and record["status"] == "done"

    def read_all(self) -> tuple[list[dict[str, Any]], list[str]]:
        """All records in the order of their file names, and a line on each file that is not trusted.

        Raises DataError when there is no such folder.
        """
        if not self.folder.is_dir():
            raise DataError(
                f"{self.folder}: no such folder of results; `promptlet bench run --out` makes one"
            )
        records, problems = [], []
        for path in sorted(self.folder.glob("*.json")):
            record, problem = _read_record(path)
            if problem:
                problems.append(problem)
            else:
                records.append(record)
        return records, problems

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        """Store a record; it appears whole or not at all."""
        self.write_whole(self.folder / f"{key}.json", {"schema": SCHEMA, **record})

    def write_plan(self, runs: Sequence[Mapping[str, Any]]) -> None:
        """Note which runs were asked for."""
        keys = json.dumps(sorted(str(run["key"]) for run in runs))
        name = hashlib.blake2b(keys.encode(), digest_size=6).hexdigest()
        self.write_whole(self.folder / "plans" / f"{name}.json", {"schema": SCHEMA, "plan": list(runs)})

    def read_plans(self) -> list[dict[str, Any]]:
        """Every run ever asked for, once, as `Run.describe` gives it."""
        planned: dict[str, dict[str, Any]] = {}
        for path in sorted((self.folder / "plans").glob("*.json")):
            content, _ = read_json(path)
            runs = content.get("plan") if content and content.get("schema") == SCHEMA else None
            for run in runs if isinstance(runs, list) else []:
                if isinstance(run, dict) and not _what_is_wrong(run):
                    planned[str(run["key"])] = run
        return list(planned.values())

    @contextmanager
    def claim(self, key: str, wait: bool = False) -> Iterator[bool]:
        """Whether the run is ours while the block lasts: False when another process has it.

        wait: until the other one is through or dead. A process that dies frees its runs at once.
        """
        from filelock import FileLock, Timeout

        folder = self.folder / ".locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{key}.lock")
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            yield False
            return
        except (OSError, NotImplementedError) as error:
            raise self._unusable(error) from error
        try:
            yield True
        finally:
            lock.release()

    def check_writable(self) -> None:
        """Raise DataError at the start rather than after the first run."""
        probe = self.folder / f".{secrets.token_hex(8)}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe.touch(exist_ok=False)
            probe.unlink()
        except OSError as error:
            raise self._unusable(error) from error

    def in_the_way(self, key: str) -> str:
        """Why the run of this key must not be made (another version's record lies there), or nothing."""
        path = self.folder / f"{key}.json"
        content, problem = read_json(path) if path.exists() else ({}, "")
        if problem or content.get("schema", SCHEMA) == SCHEMA:
            return ""
        return (
            f"{path}: written by another version of Promptlet (schema {content['schema']!r}, this one writes "
            f"{SCHEMA}) and would be replaced; give --out another folder, or move it away"
        )

    def make_folder(self, name: str) -> Path:
        """A folder in the store, made where it is not there."""
        folder = self.folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        return folder

    def write_whole(self, path: Path, content: Mapping[str, Any]) -> None:
        """Write a JSON file below the folder; it appears whole or not at all."""
        self.write_bytes(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())

    def write_bytes(self, path: Path, content: bytes) -> None:
        """Write any file below the folder; it appears whole or not at all."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)  # noqa: PTH105 (atomic on every system, and named for it)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> DataError:
        reason = getattr(error, "strerror", None) or str(error)
        return DataError(
            f"{self.folder}: results cannot be stored here ({reason}); give --out a folder on a disk with "
            "room where you may write"
        )


def read_json(path: Path) -> tuple[dict[str, Any], str]:
    """The object in a file, and what is wrong with it (or an empty text)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return {}, f"{path}: cannot be read ({error.strerror})"
    except (ValueError, RecursionError) as error:
        return {}, f"{path}: damaged, is not JSON ({error}); remove it, and the run is made again"
    if not isinstance(content, dict):
        return {}, f"{path}: damaged, holds no object; remove it, and the run is made again"
    return content, ""


def _read_record(path: Path) -> tuple[dict[str, Any], str]:
    content, problem = read_json(path)
    if problem:
        return {}, problem
    if content.get("schema") != SCHEMA:
        return {}, (
            f"{path}: has schema {content.get('schema')!r}, this version of Promptlet reads {SCHEMA}; it was "
            "left out"
        )
    protocol = content.get("protocol")
    if isinstance(protocol, str) and protocol not in MEASURES:
        return {}, (
            f"{path}: the protocol {protocol!r} is not known to this report (`promptlet analyze`, or a "
            "newer version); it was left out"
        )
    wrong = _what_is_wrong(content)
    if not wrong and content.get("status") not in STATUSES:
        wrong = f"status is {content.get('status')!r}"
    if not wrong and content["key"] != path.stem:
        wrong = f"it is the record of {content['key']}"
    if not wrong and content["status"] == "done":
        measures = MEASURES[content["protocol"]]
        numbers = (*NUMBERS, *measures.scores, *measures.extras)
        bad = [name for name in numbers if not is_number(content.get(name))]
        wrong = f"{bad[0]} is {content.get(bad[0])!r}" if bad else ""
    if wrong:
        return {}, f"{path}: not a record of a run ({wrong}); it was left out: remove it"
    return content, ""


def _what_is_wrong(described: Mapping[str, Any]) -> str:
    """What keeps the fields of `Run.describe` from being usable, or an empty text."""
    for name in ("key", *TEXTS):
        if not isinstance(described.get(name), str):
            return f"{name} is {described.get(name)!r}"
    if described["protocol"] not in MEASURES:
        return f"the protocol {described['protocol']!r} is not known to this version"
    for name in ("source", "source_data") if described["protocol"] in TRANSFERS else ():
        if not isinstance(described.get(name), str):
            return f"{name} is {described.get(name)!r}"
    for name in ("shots", "seed", "views"):
        if type(described.get(name)) is not int:
            return f"{name} is {described.get(name)!r}"
    for name in ("options", "settings"):
        if not isinstance(described.get(name), dict):
            return f"{name} is {described.get(name)!r}"
    return ""


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
