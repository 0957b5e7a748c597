"""A summary as one flat table, for CSV and Parquet: a row per mean, or a row per run.

A column has one type; a value that is not there is None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlet.protocols.records.measures import BASE_TO_NEW, MEASURES, TRANSFERS
from promptlet.report.statistics.chosen import kinds_of
from promptlet.report.statistics.comparisons import scores_of
from promptlet.report.statistics.summary import Summary
from promptlet.views import count_of, kind_of

TEXT, WHOLE, NUMBER, TRUTH, WHOLES, TEXTS = "text", "whole", "number", "truth", "wholes", "texts"
"""Kinds of columns: texts, whole numbers, numbers, true or false, lists of whole numbers, lists of texts."""
LARGEST, MOST = 2**63 - 1, 1e308
FIRST = {
    "protocol": TEXT,
    "dataset": TEXT,
    "method": TEXT,
    "schedule": TEXT,
    "shots": WHOLE,
    "seeds": WHOLES,
    "effective_seeds": WHOLE,
}
COSTS = {"trainable": WHOLE, "file_bytes": WHOLE, "seconds": NUMBER, "peak_memory": WHOLE}
TRACED = {
    "state": TEXT,
    "reason": TEXT,
    "views": WHOLE,
    "sampler": TEXT,
    "dtype": TEXT,
    "backbone": TEXT,
    "fingerprint": TEXT,
    "data": TEXT,
    "source_data": TEXT,
    "draws": WHOLE,
    "chosen": TEXTS,
    "chosen_why": TEXT,
    "options": TEXT,
    "settings": TEXT,
    "keys": TEXTS,
    "crops": TEXT,
}
OBJECTS = ("options", "settings")
"""Told as JSON."""


@dataclass(frozen=True)
class Flat:
    """columns: kind by name. rows: under them."""

    columns: Mapping[str, str]
    rows: tuple[tuple[Any, ...], ...]


def flat_summary(summary: Summary) -> Flat:
    """A row per row of the tables, and one for the missing and one for the failed seeds of an incomplete one.

    state: ``done``, ``missing`` or ``failed``. A column that is not of a row's protocol is None there. method
    is the row's label, as in the tables. crops: which kind, where the views are crops alone. options and
    settings are JSON objects; those of an average are of its first data set. chosen: kinds of
    `promptlet.report.statistics.chosen`, and why.
    """
    every = [*summary.rows, *summary.incomplete]
    columns = {
        **FIRST,
        **_measures(list(dict.fromkeys(row["protocol"] for row in every)) or [BASE_TO_NEW]),
        **COSTS,
        **TRACED,
    }
    rows = [_done(row) for row in summary.rows]
    for entry in summary.incomplete:
        rows += _lacking(entry)
    rows = [{**row, "views": count_of(row["views"]), "crops": kind_of(row["views"])} for row in rows]
    return Flat(columns, tuple(tuple(_told(row.get(name)) for name in columns) for row in rows))


def flat_runs(summary: Summary) -> Flat:
    """A row per run, finished or failed, with every text, number and truth value of its record.

    Objects in a record are laid open (``versions.torch``), but options and settings, which are JSON objects;
    lists (of epochs, of images) are left out.
    """
    rows = [_open(record) for record in summary.runs.values()]
    names = dict.fromkeys(name for row in rows for name in row) or dict.fromkeys(("key", "status"))
    columns = {name: _kind([row.get(name) for row in rows]) for name in names}
    return Flat(
        columns,
        tuple(tuple(_fitted(row.get(name), kind) for name, kind in columns.items()) for row in rows),
    )


def _measures(protocols: Sequence[str]) -> dict[str, str]:
    own: dict[str, str] = {}
    for protocol in protocols:
        scores = scores_of(protocol)
        names = [*scores, *(f"{name}_std" for name in scores), *MEASURES[protocol].extras]
        own |= {**({"source": TEXT} if protocol in TRANSFERS else {}), **dict.fromkeys(names, NUMBER)}
    return own


def _done(row: Mapping[str, Any]) -> dict[str, Any]:
    why = "; ".join(one["why"] for one in row["chosen"]) or None
    told = {"chosen": list(kinds_of(row["chosen"])), "chosen_why": why}
    return {**row, **told, "method": row["label"], "state": "done"}


def _lacking(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for the missing seeds and one for the failed ones, where there are such."""
    told = {"missing": "not run yet", "failed": "; ".join(entry["reasons"])}
    by_seed = dict(zip(sorted([*entry["missing"], *entry["failed"]]), entry["keys"], strict=True))
    return [
        {
            **entry,
            "method": entry["label"],
            "state": state,
            "seeds": entry[state],
            "keys": [by_seed[seed] for seed in entry[state]],
            "reason": reason,
        }
        for state, reason in told.items()
        if entry[state]
    ]


def _told(value: object) -> object:
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value


def _open(record: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in record.items():
        if name in OBJECTS and not before:
            found[name] = _told(value)
        elif isinstance(value, Mapping):
            found |= _open(value, f"{before}{name}.")
        elif not isinstance(value, list):
            found[f"{before}{name}"] = value
    return found


def _kind(values: Sequence[object]) -> str:
    """The narrowest kind that holds all; texts hold anything."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return TRUTH
    if known and all(_is_number(value) for value in known):
        whole = all(isinstance(value, int) and abs(value) <= LARGEST for value in known)
        return WHOLE if whole else NUMBER
    return TEXT


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MOST


def _fitted(value: Any, kind: str) -> Any:
    if value is None or kind in (TRUTH, WHOLE):
        return value
    if kind == NUMBER:
        return float(value)
    return value if isinstance(value, str) else json.dumps(value)
