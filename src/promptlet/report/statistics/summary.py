"""Rows over seeds, averages over data sets; H is taken of averages, as CoOp's papers do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from promptlet.evaluation import deviation, harmonic_mean, mean
from promptlet.papers import bibliographies
from promptlet.promptfile.backbone import without_folders
from promptlet.protocols import RunStore
from promptlet.protocols.records.measures import MEASURES, TRANSFERS
from promptlet.protocols.records.runs import cell_of, row_of, still_asked_for
from promptlet.protocols.records.shapes import Described, Done, Failed, Record, is_done, score
from promptlet.report.statistics import chosen
from promptlet.report.statistics.comparisons import AVERAGE as AVERAGE
from promptlet.report.statistics.comparisons import (
    SOURCE,
    comparison_of,
    differing,
    grouped,
    method_of,
    places,
    scores_of,
    settings_of,
)
from promptlet.report.statistics.seeds import draws, effective_seeds
from promptlet.report.statistics.stores import read_stores

Row = Mapping[str, Any]
RUN_ON = ("backbone", "fingerprint", "dtype", "source_data")
"""What may differ between averages of one method and its settings."""
BEFORE_ROWS = (
    "the record of this official schedule names no protocol: before version 0.2.0 all were trained as from "
    "base to new; else it is a schedule of one's own"
)


@dataclass(frozen=True)
class Summary:
    """rows: what was run. incomplete: what was asked for and is missing or failed, with the reason.

    problems: files that were not trusted, rows that no average could be taken of, and what records note.
    runs: the records that all of this is made of, finished and failed, by key.
    """

    rows: list[dict[str, Any]]
    incomplete: list[dict[str, Any]]
    problems: list[str]
    runs: dict[str, Record] = field(default_factory=dict)

    @property
    def methods(self) -> list[str]:
        """The methods of which there are results, in the order of the rows."""
        return list(dict.fromkeys(row["method"] for row in self.rows))

    @property
    def papers(self) -> dict[str, list[str]]:
        """BibTeX entries by title: of the methods of which there are results, and of what was measured."""
        return bibliographies(self.methods, dict.fromkeys(row["protocol"] for row in self.rows))

    def to_json(self) -> dict[str, Any]:
        """The document that ``--json`` prints."""
        return {
            "schema": 1,
            "summary": self.rows,
            "incomplete": self.incomplete,
            "problems": self.problems,
            "bibtex": [entry for entries in self.papers.values() for entry in entries],
        }


def summarise(store: RunStore | Sequence[RunStore], cells: Collection[str] | None = None) -> Summary:
    """The state of a store, or of several as one; of the runs with these `cell_of` alone where ``cells`` is
    given. A run that is in several stores counts once.

    Raises DataError when there is no such folder.
    """
    found = read_stores([store] if isinstance(store, RunStore) else store)
    records, planned = list(found.records.values()), found.planned
    if cells is not None:
        records = [record for record in records if cell_of(record) in cells]
        planned = [run for run in planned if cell_of(run) in cells]
    done = [cast("Done", record) for record in records if is_done(record)]
    rows = [_row(group) for group in grouped(done, lambda r: (row_of(r), r["data"], r.get("source_data")))]
    _label(rows)
    _share(rows)
    chosen.mark_different(rows)
    averages, without = _averages(rows)
    _tell_apart(averages)
    runs = {record["key"]: record for record in records}
    for row in (*rows, *averages):
        row |= {"effective_seeds": effective_seeds(row["keys"], runs), "draws": draws(row["keys"], runs)}
    failed = [cast("Failed", record) for record in records if not is_done(record)]
    return Summary(
        rows=_in_order([*rows, *averages]),
        incomplete=_incomplete(done, failed, planned),
        problems=[*found.problems, *without, *_notes(done)],
        runs=runs,
    )


def _notes(records: Sequence[Done]) -> list[str]:
    """What records say must be known of their numbers, each once, with the methods it is said of."""
    of: dict[str, dict[str, None]] = {}
    for record in records:
        for note in (*record.get("notes", ()), *_before_rows(record)):
            of.setdefault(note, {})[record["method"]] = None
    return [f"{', '.join(methods)}: {note}" for note, methods in of.items()]


def _before_rows(record: Done) -> tuple[str, ...]:
    """What must be known of official settings from before there was a row of them for each protocol."""
    is_before = record["settings"].get("name") == "official" and "official" not in record
    return (BEFORE_ROWS,) if is_before else ()


def _row(group: Sequence[Done]) -> dict[str, Any]:
    """One row: means over the seeds of a group and population deviations."""
    group = sorted(group, key=lambda record: record["seed"])
    first = group[0]
    measures = MEASURES[first["protocol"]]
    return {
        **picked(first, "protocol", "dataset", "method", "shots"),
        "seeds": [record["seed"] for record in group],
        **_means(first["protocol"], group),
        **_deviations(first["protocol"], group),
        **{name: mean([score(record, name) for record in group]) for name in measures.extras},
        "trainable": first["trainable"],
        "file_bytes": max(record["file_bytes"] for record in group),
        "seconds": mean([record["seconds"] for record in group]),
        "peak_memory": max((record.get("peak_memory") or 0 for record in group), default=0) or None,
        "rank": first.get("rank", first["options"].get("rank")),
        "schedule": first["settings"].get("name"),
        **picked(first, "options", "settings", "views", "sampler", "data", "fingerprint", "dtype"),
        **(picked(first, *SOURCE) if first["protocol"] in TRANSFERS else {}),
        **({"code": first["code"]} if first.get("code") else {}),
        "backbone": backbone_of(first),
        "chosen": chosen.of_records(group),
        **({"by_dataset": own} if (own := chosen.by_dataset(group)) else {}),
        "keys": [record["key"] for record in group],
    }


def picked(described: Row, *names: str) -> dict[str, Any]:
    """These fields of it; a data set that has the name of the row of averages is told from it."""
    found = {name: described[name] for name in names}
    if found.get("dataset") == AVERAGE:
        found["dataset"] = f"{AVERAGE} (data set)"
    return found


def backbone_of(record: Done) -> str | None:
    """The name under which the backbone of a run was loaded, where its record tells; of a path the end
    alone, since no reader of a report has that disk."""
    name = record.get("backbone", {}).get("name")
    return name if name is None else without_folders(name)


def _means(protocol: str, group: Sequence[Row]) -> dict[str, float]:
    """Of the scores, over seeds or data sets; H is that of the means."""
    measures = MEASURES[protocol]
    means = {name: mean([score(record, name) for record in group]) for name in measures.scores}
    return {**means, "H": harmonic_mean(means["base"], means["new"])} if measures.has_h else means


def _deviations(protocol: str, group: Sequence[Row]) -> dict[str, float]:
    """Of the scores over seeds, and of the H that each seed has by itself."""
    measures = MEASURES[protocol]
    values = {name: [score(record, name) for record in group] for name in measures.scores}
    if measures.has_h:
        values["H"] = [harmonic_mean(*pair) for pair in zip(values["base"], values["new"], strict=True)]
    return {f"{name}_std": deviation(found) for name, found in values.items()}


def _label(rows: Sequence[dict[str, Any]]) -> None:
    """Give rows of one method, data set and schedule a label with what tells them apart: ``rlp (rank=2)``."""
    apart = ("protocol", "dataset", "source", "method", "shots", "schedule")  # columns of their own
    codes = {
        method: {row.get("code") for row in rows if row["method"] == method} for method in _methods(rows)
    }
    for group in grouped(rows, lambda r: tuple(r.get(name) for name in apart)):
        flats = [settings_of(row) for row in group]
        names = differing(flats)
        if len(codes[group[0]["method"]]) > 1 and "code" not in names:
            names.append("code")
        for row, flat in zip(group, flats, strict=True):
            telling = ", ".join(f"{name}={flat.get(name)}" for name in names)
            row["label"] = f"{row['method']} ({telling})" if telling else row["method"]


def _share(rows: Sequence[dict[str, Any]]) -> None:
    """Tell of each row what any row of its method and schedule has by data set: so they have one average."""
    for group in grouped(rows, lambda row: (comparison_of(row), row["method"], row["schedule"])):
        names = dict.fromkeys(name for row in group for name in row.get("by_dataset", ()))
        for row in group:
            row |= {"by_dataset": list(names)} if names else {}


def _methods(rows: Sequence[Row]) -> set[str]:
    return {row["method"] for row in rows}


def _tell_apart(averages: Sequence[dict[str, Any]]) -> None:
    """Add to the labels of averages that look alike what they were run on: ``rlp (backbone=mini)``."""
    apart = ("protocol", "source", "shots", "schedule", "label")
    for group in grouped(averages, lambda row: tuple(row.get(name) for name in apart)):
        telling = [name for name in RUN_ON if len({row.get(name) for row in group}) > 1]
        if len({row["backbone"] for row in group}) == len(group):
            telling = telling[:1]
        for row in group:
            words = ", ".join(f"{name}={row.get(name)}" for name in telling)
            method, _, rest = row["label"].partition(" (")
            known = [rest.removesuffix(")")] if rest else []
            row["label"] = f"{method} ({', '.join([*known, words])})" if telling else row["label"]


def _averages(rows: Sequence[Row]) -> tuple[list[dict[str, Any]], list[str]]:
    """A row per method over all data sets of a comparison, and why others have none."""
    averages, without = [], []
    for comparison in grouped(rows, comparison_of):
        datasets = {row["dataset"] for row in comparison}
        if len(datasets) < 2:
            continue
        for group in grouped(comparison, method_of):
            found = {row["dataset"] for row in group}
            if len(group) > len(found):
                without.append(f"{group[0]['label']}: no average, a data set is there in several versions")
            elif found != datasets:
                lacking = ", ".join(sorted(datasets - found))
                without.append(f"{group[0]['label']}: no average, there are no results on {lacking}")
            elif len({tuple(row["seeds"]) for row in group}) > 1:
                without.append(f"{group[0]['label']}: no average, the data sets have different seeds")
            else:
                averages.append(_average(group))
    return averages, without


def _average(group: Sequence[Row]) -> dict[str, Any]:
    first = group[0]
    measures = MEASURES[first["protocol"]]
    spreads = (*(f"{name}_std" for name in scores_of(first["protocol"])), *measures.extras)
    return {
        **first,
        "dataset": AVERAGE,
        "datasets": sorted(row["dataset"] for row in group),
        "data": None,
        "chosen": chosen.together(row["chosen"] for row in group),
        "keys": [key for row in group for key in row["keys"]],
        "seeds": first["seeds"],
        **_means(first["protocol"], group),
        **{name: mean([row[name] for row in group]) for name in spreads},
        "trainable": max(row["trainable"] for row in group),
        "file_bytes": max(row["file_bytes"] for row in group),
        "seconds": mean([row["seconds"] for row in group]),
        "peak_memory": max((row["peak_memory"] or 0 for row in group), default=0) or None,
    }


def _incomplete(
    done: Sequence[Done], failed: Sequence[Failed], planned: Sequence[Described]
) -> list[dict[str, Any]]:
    """Rows asked for of which seeds are missing or failed; not those of code that was replaced since, and is
    done."""
    reasons = {cell_of(record): record.get("reason", "") for record in failed}
    entries = []
    for group in grouped(still_asked_for([*failed, *planned], done), row_of):
        first = group[0]
        broken = [run for run in group if cell_of(run) in reasons]
        entries.append(
            {
                **picked(first, "protocol", "dataset", "method", "shots", "options"),
                **({"source": first["source"]} if first["protocol"] in TRANSFERS else {}),
                "schedule": first["settings"].get("name"),
                "failed": sorted(run["seed"] for run in broken),
                "missing": sorted(run["seed"] for run in group if run not in broken),
                "reasons": sorted({reasons[cell_of(run)] for run in broken}),
                **picked(first, "settings", "views", "sampler", "fingerprint", "dtype"),
                **({"code": first["code"]} if first.get("code") else {}),
                "keys": [run["key"] for run in sorted(group, key=lambda run: run["seed"])],
            }
        )
    _label_incomplete(entries)
    return sorted(entries, key=_order)


def _label_incomplete(entries: Sequence[dict[str, Any]]) -> None:
    """Labels with the rank, or with all that tells entries of one method apart."""
    apart = ("protocol", "dataset", "source", "method", "shots", "schedule")
    for group in grouped(entries, lambda e: tuple(e.get(name) for name in apart)):
        flats = [
            {**entry["settings"], **entry["options"], "views": entry["views"], "code": entry.get("code")}
            for entry in group
        ]
        names = differing(flats) or (["rank"] if flats[0].get("rank") else [])
        for entry, flat in zip(group, flats, strict=True):
            telling = ", ".join(f"{name}={flat.get(name)}" for name in names)
            entry["label"] = f"{entry['method']} ({telling})" if telling else entry["method"]


def _in_order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By protocol, data set, shots and comparison; there as `places` has it, by accuracy."""
    place = places(rows)

    def key(row: Row) -> tuple[Any, ...]:
        where = (row["protocol"], row["dataset"] == AVERAGE, row["dataset"], row["shots"])
        apart = tuple(str(row.get(name)) for name in ("backbone", *RUN_ON, "source", "data"))
        return (*where, *apart, place[comparison_of(row), method_of(row)])

    return sorted(rows, key=key)


def _order(row: Row) -> tuple[Any, ...]:
    own = (row["method"], str(row.get("schedule")), str(row.get("label")))
    return (row["protocol"], row["dataset"] == AVERAGE, row["dataset"], row["shots"], *own)
