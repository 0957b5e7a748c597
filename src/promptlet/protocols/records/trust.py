"""What of a record, and of a plan, can be trusted: files are read with suspicion, and each once.

A file is first read as strict JSON, then held against the types of `shapes.py`. What is wrong costs the file
alone and is told in words.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from promptlet.data.files import open_regular
from promptlet.errors import shown, why
from promptlet.protocols.records.measures import MEASURES, TRANSFERS
from promptlet.protocols.records.shapes import (
    FLAT,
    SCHEMA,
    Carried,
    Described,
    Done,
    Ended,
    Failed,
    Foreign,
    ForeignEnd,
    Plan,
    is_done,
    measured_by,
)
from promptlet.typed import SHOWN, is_deep, what_is_wrong

REMOVE_IT = ": remove it"
"""How the word on a file ends that is no record; nothing is removed from a pack."""
LEFT_OUT = f"; it was left out{REMOVE_IT}"
"""How it ends in a report."""
LARGEST_FILE = 1 << 24
"""Bytes; a record of a thousand epochs and ten thousand images has 1 MB."""


def read_json(path: Path) -> tuple[dict[str, Any], str]:
    """The object in a file, and what is wrong with it (or an empty text)."""
    try:
        with open_regular(path) as file:  # a pipe would wait for somebody to write
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            return {}, f"{path}: more than {LARGEST_FILE >> 20} MiB, which no record of ours has; remove it"
        content = strict_json(data.decode())
    except OSError as error:
        return {}, f"{path}: cannot be read ({why(error)})"
    except ValueError as error:
        return {}, f"{path}: damaged, is not JSON ({error}); remove it, and the run is made again"
    if not isinstance(content, dict):
        return {}, f"{path}: damaged, holds no object; remove it, and the run is made again"
    return content, ""


def strict_json(text: str) -> Any:
    """What the text tells. Raises ValueError, also for numbers that JSON does not have: NaN, 1e999."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("lists and objects are nested too deeply") from None


def problem_of(content: Mapping[str, Any], key: str) -> str:
    """What keeps a record, found under ``key``, from being shown in a report, or an empty text."""
    if not _is_ours(content):
        return (
            f"has schema {shown(content.get('schema'))}, this version of Promptlet reads {SCHEMA}; it was "
            "left out"
        )
    if is_foreign(content):
        return (
            f"the protocol {shown(content['protocol'])} is not known to this report (`promptlet analyze`, or "
            "a newer version); it was left out"
        )
    return _told(_of_record(content, key))


def problem_of_any(content: Mapping[str, Any], key: str) -> str:
    """The same, but of a protocol that is not known here only what all records share is asked for."""
    if not (_is_ours(content) and is_foreign(content)):
        return problem_of(content, key)
    return _told(what_is_wrong(content, ForeignEnd) or _of_key(content, key) or _of_depth(content))


def problem_of_plan(content: Mapping[str, Any]) -> str:
    """What keeps a file from being a plan, or an empty text."""
    return what_is_wrong(content, Plan)


def is_foreign(described: object) -> bool:
    """Whether it is of a protocol that is not known here."""
    protocol = described.get("protocol") if isinstance(described, Mapping) else None
    return isinstance(protocol, str) and protocol not in MEASURES


def problem_of_planned(run: object) -> str:
    """What keeps the fields of `Run.describe`, of a known protocol, from being usable, or an empty text."""
    wrong = what_is_wrong(run, Described)
    if wrong or not isinstance(run, Mapping):
        return wrong
    return _of_source(run) or _of_depth(run)


def problem_of_any_planned(run: object) -> str:
    """The same, but of a protocol that may be not known here."""
    return what_is_wrong(run, Foreign) or (_of_depth(run) if isinstance(run, Mapping) else "")


def counts_before(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether of two records of a run the first counts: a finished one before a failed one."""
    return is_done(one) and not is_done(other)


def differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two finished records of a run tell it in two ways."""
    return is_done(one) and is_done(other) and one != other


def _is_ours(content: Mapping[str, Any]) -> bool:
    return bool(content.get("schema") == SCHEMA)


def _told(wrong: str) -> str:
    return f"not a record of a run ({wrong}){LEFT_OUT}" if wrong else ""


def _of_record(content: Mapping[str, Any], key: str) -> str:
    status = content.get("status")
    kind = Done if status == "done" else Failed if status == "failed" else Ended
    wrong = what_is_wrong(content, kind) or _of_key(content, key) or _of_source(content)
    if not wrong and status == "done":
        wrong = what_is_wrong(content, measured_by(content["protocol"]))
    return wrong or _of_depth(content)


def _of_key(content: Mapping[str, Any], key: str) -> str:
    found = content.get("key")
    return "" if found == key else f"it is the record of {shown(found, SHOWN)}"


def _of_source(described: Mapping[str, Any]) -> str:
    return what_is_wrong(described, Carried) if described["protocol"] in TRANSFERS else ""


def _of_depth(content: Mapping[str, Any]) -> str:
    deep = [name for name, value in content.items() if name not in FLAT and is_deep(value)]
    return f"{shown(deep[0])} is nested too deeply" if deep else ""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number that JSON has")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)
