"""Folders of results into a pack, and a pack into a folder. Nothing that is there is changed or removed."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from promptlet.errors import OptionError, PackError, shown
from promptlet.protocols.records.pack_lines import compressed, pack_lines
from promptlet.protocols.records.packs import SUFFIX, is_key, open_pack, seen
from promptlet.protocols.records.places import Found, Places, Planned
from promptlet.protocols.records.runs import still_asked_for
from promptlet.protocols.records.shapes import is_done
from promptlet.protocols.records.store import RunStore
from promptlet.protocols.records.trust import (
    REMOVE_IT,
    counts_before,
    differ,
    problem_of_any,
    problem_of_any_planned,
    read_json,
)

Record = Mapping[str, Any]
NAMED = 3
"""How many of the runs that are in the way a message names."""


@dataclass(frozen=True)
class Gathered:
    """Everything in some folders and packs: records by key, and the runs that were asked for."""

    records: dict[str, Found] = field(default_factory=dict)
    planned: dict[str, Record] = field(default_factory=dict)

    @property
    def failed(self) -> list[Record]:
        """The records of runs that failed."""
        return [found.content for found in self.records.values() if not is_done(found.content)]

    @property
    def missing(self) -> list[Record]:
        """What was asked for and is neither done nor failed."""
        done = [found.content for found in self.records.values() if is_done(found.content)]
        return [run for run in still_asked_for(self.planned.values(), done) if run["key"] not in self.records]


def pack(sources: Sequence[str | Path], file: str | Path, allow_incomplete: bool = False) -> Gathered:
    """Write everything in ``sources``, folders of results and packs, into the new pack ``file``.

    A run that is in several counts once, the finished one before a failed one. allow_incomplete: also where
    runs failed or were not run; their records and plans are in the pack. What `trained/` holds is not.

    Raises OptionError for a name that is no pack's, DataError where a source is not there, PackError where
    ``file`` is there, where something cannot be read or is told in two ways, and for incomplete sources.
    """
    path = Path(file)
    _check_is_new(path)
    found = gather(sources)
    if not allow_incomplete:
        _check_complete(found)
    write_pack(path, [one.content for one in found.records.values()], list(found.planned.values()))
    return found


def write_pack(path: Path, records: Sequence[Record], planned: Sequence[Record] = ()) -> None:
    """Write records, each with a ``key`` of its own, and what was asked for as the new pack ``path``.

    What is written is read again and compared before it gets its name. Raises as `pack` does.
    """
    _check_is_new(path)
    lines = pack_lines(records, planned)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                compressed(lines, file)
                file.flush()
                os.fsync(file.fileno())
            _check_same(temporary, records, planned)
            _name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PackError(f"{path}: cannot be written ({error.strerror}); give --out another place") from error


def unpack(file: str | Path, folder: str | Path) -> int:
    """Lay every record of a pack, and its plan, into ``folder`` as files; how many records.

    Raises PackError where the pack cannot be read or a file with other content is there; then nothing is
    written.
    """
    opened, store = open_pack(Path(file)), RunStore(folder)
    store.check_is_folder()
    seen(store.folder)
    contents: dict[Path, Callable[[], Record]] = {
        store.folder / f"{key}.json": partial(opened.record, key) for key in opened.records
    }
    if opened.plans:
        path, plan = store.plan_of(list(opened.planned))
        contents[path] = lambda: plan
    others = [path.name for path, content in contents.items() if _holds_other(path, content)]
    if others:
        raise PackError(
            f"{folder}: {len(others)} files hold something else than {file} ({_some(others)}); nothing was "
            "written: unpack into another folder"
        )
    for path, content in contents.items():
        if not path.exists():
            store.write_whole(path, content())
    return len(opened.records)


def _holds_other(path: Path, content: Callable[[], Record]) -> bool:
    return path.exists() and read_json(path) != (content(), "")


def gather(sources: Sequence[str | Path]) -> Gathered:
    """Everything in ``sources``. Raises DataError where one is not there, PackError for what cannot be
    packed."""
    found, problems = Gathered(), list[str]()
    for source in sources:
        places = Places(Path(source))
        problems += filter(None, (_take(found.records, one) for one in places.contents()))
        problems += _take_plan(found.planned, places.planned())
    if problems:
        more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise PackError(f"nothing was packed: {'; '.join(problems[:NAMED])}{more}")
    if not found.records:
        raise PackError(f"{', '.join(map(str, sources))}: holds no record of a run; nothing was packed")
    return found


def _take(records: dict[str, Found], one: Found) -> str:
    """Add what was found; what is wrong with it, or an empty text."""
    wrong = "" if one.problem else problem_of_any(one.content, one.key)
    if one.problem or wrong:
        told = wrong.removesuffix(REMOVE_IT).replace("; it was left out", "")
        advice = "leave that pack out" if one.is_packed else "move it away"
        return one.problem or f"{one.where}: {told}; {advice}"
    if not is_key(one.key):
        return f"{one.where}: not the key of a run; move it away"
    known = records.get(one.key)
    if known is None or counts_before(one.content, known.content):
        records[one.key] = one
    elif differ(one.content, known.content):
        return f"{one.where}: differs from {known.where}; keep one of them"
    return ""


def _take_plan(planned: dict[str, Record], runs: Iterable[Planned]) -> Iterator[str]:
    for where, run, problem in runs:
        wrong = "" if problem else problem_of_any_planned(run)
        if problem or wrong:
            yield problem or f"{where}: a run that was asked for cannot be read ({wrong}); remove it"
        elif not is_key(run.get("key")):
            yield f"{where}: asks for {shown(run.get('key'))}, which is not the key of a run; remove it"
        else:
            planned[run["key"]] = run


def _check_complete(found: Gathered) -> None:
    failed, missing = found.failed, found.missing
    told = []
    if failed:
        reasons = [f"{one['key']}: {_short(str(one.get('reason')))}" for one in failed]
        told.append(f"{len(failed)} runs failed ({_some(reasons)})")
    if missing:
        told.append(
            f"{len(missing)} runs were asked for and not run ({_some([one['key'] for one in missing])})"
        )
    if told:
        raise PackError(
            f"nothing was packed: {' and '.join(told)}; run them, or give --allow-incomplete: what failed, "
            "and what was asked for, is packed too, and reports go on to tell of it"
        )


def _check_is_new(path: Path) -> None:
    if not path.name.endswith(SUFFIX) or path.name == SUFFIX:
        raise OptionError(f"{path}: the name of a pack ends in {SUFFIX}; give --out NAME{SUFFIX}")
    if seen(path).exists() or path.is_symlink():
        raise PackError(f"{path}: is there already, and a pack never changes; give --out another name")


def _check_same(path: Path, records: Sequence[Record], planned: Sequence[Record]) -> None:
    again = open_pack(path)
    there = sorted(json.dumps(again.record(key)) for key in again.records)
    if there != sorted(map(json.dumps, records)) or list(again.planned) != list(planned):
        raise PackError("nothing was packed: what was written does not read as it should; please report it")


def _name(temporary: Path, path: Path) -> None:
    """Rename without ever replacing; where the disk knows no hard links, as nearly so as it can."""
    try:
        os.link(temporary, path)
    except OSError:
        _check_is_new(path)
        temporary.replace(path)


def _short(reason: str, longest: int = 120) -> str:
    return reason if len(reason) <= longest else f"{reason[:longest]}..."


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
