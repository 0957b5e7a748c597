"""A folder of results, one JSON file per run: written whole, read with suspicion, shared by processes.

DIR/KEY.json          a record: {"schema": 1, "status": "done" | "failed", ...}
DIR/NAME.jsonl.gz     a pack of records (packs.py): read with the files, never changed
DIR/plans/HASH.json   which runs were asked for, so that a report can say what is missing
DIR/trained/          what trainings left for other runs (trained.py)
DIR/.locks/KEY.lock   held by the process that runs KEY; the system frees it when that process dies

A pack can stand in the place of the folder, to be read.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptlet.disk import room_problem
from promptlet.errors import DataError, PackError, shown, why
from promptlet.protocols.records.packs import SUFFIX
from promptlet.protocols.records.places import Found, Places
from promptlet.protocols.records.shapes import SCHEMA as SCHEMA
from promptlet.protocols.records.shapes import is_done
from promptlet.protocols.records.trust import (
    REMOVE_IT,
    counts_before,
    differ,
    is_foreign,
    problem_of,
    problem_of_planned,
)
from promptlet.protocols.records.trust import read_json as read_json

BESIDE = "make a folder, lay the pack into it, and give --out that folder: what the pack has is not run again"


class RunStore:
    """The results in ``folder``, or in a pack. Of files nothing is kept in memory: another process may add to
    them at any time. A pack never changes, and is read once.

    A run that lies in several places counts once: the finished one, else that of the first place. The file
    comes first, then packs by name.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.places = Places(self.folder)

    def __reduce__(self) -> Any:
        return type(self), (self.folder,)  # packs stay here

    @property
    def name(self) -> str:
        """The name of the folder, or of the pack without its suffix."""
        return self.folder.resolve().name.removesuffix(SUFFIX if self.is_pack else "")

    @property
    def is_pack(self) -> bool:
        """Whether this is one pack, which can be read and not written to."""
        return self.places.is_pack

    def exists(self) -> bool:
        """Whether the folder, or the pack, is there."""
        return self.places.exists()

    def problem(self, content: Mapping[str, Any], key: str) -> str:
        """What keeps the record of a key from being trusted, or an empty text."""
        return problem_of(content, key)

    def read(self, key: str) -> dict[str, Any] | None:
        """The record of a run; None when there is none that can be trusted."""
        first = None
        for found in self._judged(self.places.at(key)):
            if not found.problem and is_done(found.content):
                return found.content
            first = found.content if first is None and not found.problem else first
        return first

    def is_done(self, key: str) -> bool:
        """Whether the run was finished; a failed one was not."""
        record = self.read(key)
        return record is not None and is_done(record)

    def read_all(self) -> tuple[list[dict[str, Any]], list[str]]:
        """All records in the order of their file names, and a line on each that is not trusted, or that
        another place tells otherwise.

        Raises DataError when there is no such folder, PackError for a damaged pack.
        """
        records: dict[str, Found] = {}
        problems = []
        for found in self._judged(self.places.contents()):
            known = records.get(found.key)
            if found.problem:
                problems.append(found.problem)
            elif known is None or counts_before(found.content, known.content):
                records[found.key] = found
            elif differ(found.content, known.content):
                problems.append(f"{found.where}: differs from {known.where}, which was taken")
        return [found.content for found in records.values()], problems

    def where(self, key: str) -> str:
        """The place of a run, for messages."""
        return next((found.where for found in self.places.at(key)), f"{self.folder}: {key}")

    def _judged(self, found: Iterable[Found]) -> Iterator[Found]:
        """The same, with what is wrong with each as a record."""
        for one in found:
            wrong = "" if one.problem else self.problem(one.content, one.key)
            if wrong:
                told = wrong.removesuffix(REMOVE_IT) if one.is_packed else wrong
                yield one._replace(problem=f"{one.where}: {told}")
            else:
                yield one

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        """Store a record; it appears whole or not at all."""
        self.write_whole(self.folder / f"{key}.json", {"schema": SCHEMA, **record})

    def write_plan(self, runs: Sequence[Mapping[str, Any]]) -> None:
        """Note which runs were asked for."""
        self.write_whole(*self.plan_of(runs))

    def plan_of(self, runs: Sequence[Mapping[str, Any]]) -> tuple[Path, dict[str, Any]]:
        """The file that notes these runs, and what it holds."""
        keys = json.dumps(sorted(str(run["key"]) for run in runs))
        name = hashlib.blake2b(keys.encode(), digest_size=6).hexdigest()
        return self.folder / "plans" / f"{name}.json", {"schema": SCHEMA, "plan": list(runs)}

    def read_plans(self) -> list[dict[str, Any]]:
        """Every run ever asked for, once, as `Run.describe` gives it."""
        return self.judged_plans()[0]

    def judged_plans(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The same, and a line on each plan, and each run of one, that is not trusted. What is of a protocol
        that is not known here is passed over."""
        runs: dict[str, dict[str, Any]] = {}
        problems = []
        for where, run, problem in self.places.planned():
            wrong = "" if problem or is_foreign(run) else problem_of_planned(run)
            if problem or wrong:
                problems.append(problem or f"{where}: a run that was asked for cannot be read ({wrong})")
            elif not is_foreign(run):
                runs[run["key"]] = run
        return list(runs.values()), list(dict.fromkeys(problems))

    @contextmanager
    def claim(self, key: str, wait: bool = False) -> Iterator[bool]:
        """Whether the run is ours while the block lasts: False when another process has it.

        wait: until the other one is through or dead. A process that dies frees its runs at once.
        """
        from filelock import FileLock, Timeout

        self.check_is_folder()
        folder = self.folder / ".locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{key}.lock")
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            yield False
            return
        except (OSError, NotImplementedError) as error:  # the latter: a disk without locks
            raise self._unusable(error) from error
        try:
            yield True
        finally:
            lock.release()

    def check_writable(self) -> None:
        """Raise DataError at the start rather than after the first run, PackError for a damaged pack."""
        self.check_is_folder()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        problem = room_problem(self.folder)
        if problem:
            raise self._unusable(OSError(problem))
        self.places.packs()

    def check_holds(self, keys: Sequence[str]) -> None:
        """Raise PackError when a pack lacks finished runs that are asked for."""
        missing = [key for key in keys if not self.is_done(key)]
        if missing:
            raise PackError(
                f"{self.folder}: {len(missing)} of {len(keys)} runs are not in this pack, and a pack never "
                f"changes (the first: {missing[0]}); {BESIDE}"
            )

    def check_is_folder(self) -> None:
        if self.is_pack:
            raise PackError(f"{self.folder}: a pack never changes; {BESIDE}")

    def in_the_way(self, key: str) -> str:
        """Why the run of this key must not be made (another version's record lies there), or nothing."""
        for found in self.places.at(key):
            schema = found.content.get("schema", SCHEMA)
            if schema != SCHEMA:
                return (
                    f"{found.where}: written by another version of Promptlet (schema {shown(schema)}, this "
                    f"one writes {SCHEMA}) and would be replaced; give --out another folder, or move it away"
                )
        return ""

    def make_folder(self, name: str) -> Path:
        """A folder in the store, made where it is not there."""
        self.check_is_folder()
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
        self.check_is_folder()
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
        reason = why(error)
        return DataError(
            f"{self.folder}: results cannot be stored here ({reason}); give --out a folder on a disk with "
            "room where you may write"
        )
