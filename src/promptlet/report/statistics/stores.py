"""Several folders of runs read as one: a run in two of them counts once, and contradictions are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from promptlet.errors import DataError, shown
from promptlet.protocols import RunStore
from promptlet.protocols.records.measures import MEASURES
from promptlet.protocols.records.shapes import SCHEMA, Described, Record, is_done, score
from promptlet.protocols.records.trust import counts_before

ROUNDING = 1e-4
"""Percentage points that two machines may differ by without a word: they sum products in other orders."""
SHOWN = 3
"""How many of the files that were not trusted a message names."""


@dataclass
class Found:
    """records: every run that can be trusted, by its key. planned: runs that were asked for.

    problems: a line on each file that is not trusted, and on runs that two folders tell differently.
    """

    records: dict[str, Record] = field(default_factory=dict)
    planned: list[Described] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_stores(stores: Sequence[RunStore]) -> Found:
    """Everything in ``stores``; of a run that is in several, what is finished, else the first.

    Raises DataError when one of the folders is not there.
    """
    found = Found()
    origin: dict[str, RunStore] = {}
    contradictions: dict[tuple[Path, Path], list[tuple[float, str]]] = {}
    for store in stores:
        every, problems = store.read_all()
        planned, odd = store.judged_plans()
        records = cast("list[Record]", every)
        found.planned += cast("list[Described]", planned)
        found.problems += [*problems, *odd]
        if len(stores) > 1 and not records and not planned:
            found.problems.append(f"{store.folder}: {_what_there_is(store, problems, 0)}")
        for record in records:
            known = found.records.get(record["key"])
            if known is not None and is_done(known) and is_done(record):
                gap = _gap(known, record)
                if gap > ROUNDING:
                    pair = (origin[record["key"]].folder, store.folder)
                    contradictions.setdefault(pair, []).append((gap, record["key"]))
            if known is None or counts_before(record, known):
                found.records[record["key"]], origin[record["key"]] = record, store
    found.problems += [_contradiction(*pair, runs) for pair, runs in contradictions.items()]
    return found


def check_holds_runs(stores: Sequence[RunStore]) -> None:
    """Raise DataError when no store holds a run, finished, failed or asked for: a report would be empty."""
    told = []
    for store in stores:
        found = read_stores([store])
        if found.records or found.planned:
            return
        told.append(f"{store.folder}: {_what_there_is(store, found.problems)}")
    raise DataError(
        f"there is no run to report. {'; '.join(told)}. Give a folder that `promptlet bench run` wrote"
    )


def _what_there_is(store: RunStore, problems: Sequence[str], named: int = SHOWN) -> str:
    """In words, what a store holds that no run could be read from; ``named`` of what it holds is told of."""
    if not problems:
        return "the pack is empty" if store.is_pack else _files_in(store.folder)
    older = _other_schemas(store)
    kind = "records" if store.is_pack else "JSON files"
    head = f"no run that can be read was found among {len(problems)} {kind}"
    head += f" ({', '.join(older)}; this version of Promptlet reads schema {SCHEMA})" if older else ""
    told = [problem.removeprefix(f"{store.folder}/") for problem in problems[:named]]
    told += [f"and {len(problems) - named} more"] if told and len(problems) > named else []
    return f"{head}: {'; '.join(told)}" if told else head


def _files_in(folder: Path) -> str:
    files = sum(1 for path in folder.iterdir() if path.is_file())
    return f"no run was found, and no JSON file (other files: {files})" if files else "the folder is empty"


def _other_schemas(store: RunStore) -> list[str]:
    """How many records have which schema that is not this version's."""
    contents = [found.content for found in store.places.contents()]
    schemas = Counter(shown(content.get("schema")) for content in contents if content)
    return [f"{count} with schema {name}" for name, count in sorted(schemas.items()) if name != shown(SCHEMA)]


def _gap(one: Record, other: Record) -> float:
    """The largest difference of two finished records in what their protocol measures, percentage points."""
    measures = MEASURES[one["protocol"]]
    return max(abs(score(one, name) - score(other, name)) for name in (*measures.scores, *measures.extras))


def _contradiction(first: Path, second: Path, runs: Sequence[tuple[float, str]]) -> str:
    gap, key = max(runs)
    return (
        f"{len(runs)} run{'s are' if len(runs) > 1 else ' is'} in both {first} and {second} with other "
        f"numbers, by up to {gap:.2f} points ({key}); those of {first} were taken"
    )
