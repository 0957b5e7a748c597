"""What of a record, and of a plan, can be trusted: files are read with suspicion."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlet.protocols.records.measures import MEASURES, TRANSFERS

SCHEMA = 1
"""Of records and plans."""
STATUSES = ("done", "failed")
NUMBERS = ("seconds", "trainable", "file_bytes")
TEXTS = ("protocol", "dataset", "data", "method", "sampler", "fingerprint")
REMOVE_IT = ": remove it"
"""How the word on a file ends that is no record; nothing is removed from a pack."""


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


def problem_of(content: Mapping[str, Any], key: str) -> str:
    """What keeps a record, found under ``key``, from being shown in a report, or an empty text."""
    if content.get("schema") != SCHEMA:
        return (
            f"has schema {content.get('schema')!r}, this version of Promptlet reads {SCHEMA}; it was left out"
        )
    protocol = content.get("protocol")
    if isinstance(protocol, str) and protocol not in MEASURES:
        return (
            f"the protocol {protocol!r} is not known to this report (`promptlet analyze`, or a newer "
            "version); it was left out"
        )
    wrong = what_is_wrong(content) or _what_is_odd(content, key)
    if not wrong and content["status"] == "done":
        measures = MEASURES[content["protocol"]]
        numbers = (*NUMBERS, *measures.scores, *measures.extras)
        bad = [name for name in numbers if not is_number(content.get(name))]
        wrong = f"{bad[0]} is {content.get(bad[0])!r}" if bad else ""
    return f"not a record of a run ({wrong}); it was left out{REMOVE_IT}" if wrong else ""


def problem_of_any(content: Mapping[str, Any], key: str) -> str:
    """The same, but of a protocol that is not known here only what all records share is asked for."""
    protocol = content.get("protocol")
    if content.get("schema") != SCHEMA or not isinstance(protocol, str) or protocol in MEASURES:
        return problem_of(content, key)
    wrong = _what_is_odd(content, key) or odd_tables(content)
    return f"not a record of a run ({wrong}); it was left out{REMOVE_IT}" if wrong else ""


def _what_is_odd(content: Mapping[str, Any], key: str) -> str:
    if content.get("status") not in STATUSES:
        return f"status is {content.get('status')!r}"
    return "" if content.get("key") == key else f"it is the record of {content.get('key')}"


def what_is_wrong(described: Mapping[str, Any]) -> str:
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


def odd_tables(described: Mapping[str, Any]) -> str:
    """What is wrong with the options or settings of a described run, or an empty text."""
    for name in ("options", "settings"):
        if not isinstance(described.get(name), dict | None):
            return f"{name} is {str(described[name])[:100]!r}, not an object"
    return ""


def counts_before(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether of two records of a run the first counts: a finished one before a failed one."""
    return bool(other["status"] != "done" == one["status"])


def differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two finished records of a run tell it in two ways."""
    return bool(one["status"] == "done" == other["status"] and one != other)


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
