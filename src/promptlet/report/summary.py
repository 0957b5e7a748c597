"""Rows over seeds, averages over data sets; H is taken of averages, as CoOp's papers do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlet.evaluation import deviation, harmonic_mean, mean
from promptlet.papers import bibliography
from promptlet.protocols import RunStore
from promptlet.protocols.runs import cell_of, row_of

Record = Mapping[str, Any]
AVERAGE = "average"
EXTRAS = ("base_ece", "new_ece", "base_macro_f1", "new_macro_f1")
OWN_TO_A_DATASET = ("dataset", "data", "template")


@dataclass(frozen=True)
class Summary:
    """rows: what was run. incomplete: what was asked for and is missing or failed, with the reason.

    problems: files that were not trusted, and rows that no average could be taken of.
    """

    rows: list[dict[str, Any]]
    incomplete: list[dict[str, Any]]
    problems: list[str]

    @property
    def methods(self) -> list[str]:
        """The methods of which there are results, in the order of the rows."""
        return list(dict.fromkeys(row["method"] for row in self.rows))

    def to_json(self) -> dict[str, Any]:
        """The document that ``--json`` prints."""
        return {
            "schema": 1,
            "summary": self.rows,
            "incomplete": self.incomplete,
            "problems": self.problems,
            "bibtex": bibliography(self.methods),
        }


def summarise(store: RunStore, cells: Collection[str] | None = None) -> Summary:
    """The state of ``store``; of the runs with these `cell_of` alone where ``cells`` is given.

    Raises DataError when there is no such folder.
    """
    records, problems = store.read_all()
    planned = store.read_plans()
    if cells is not None:
        records = [record for record in records if cell_of(record) in cells]
        planned = [run for run in planned if cell_of(run) in cells]
    done = [record for record in records if record["status"] == "done"]
    rows = [_row(group) for group in _groups(done, lambda r: (row_of(r), r["data"]))]
    _label(rows)
    averages, without = _averages(rows)
    failed = [record for record in records if record["status"] == "failed"]
    rows = sorted([*rows, *averages], key=_order)
    return Summary(rows, _incomplete(done, failed, planned), [*problems, *without])


def _groups(records: Iterable[Record], key: Any) -> list[list[Record]]:
    groups: dict[Any, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return list(groups.values())


def _row(group: Sequence[Record]) -> dict[str, Any]:
    """One row: means over the seeds of a group, population deviations, H of the means."""
    group = sorted(group, key=lambda record: record["seed"])
    first = group[0]
    base, new = ([float(record[half]) for record in group] for half in ("base", "new"))
    return {
        **{name: first[name] for name in ("protocol", "dataset", "method")},
        "shots": first["shots"],
        "seeds": [record["seed"] for record in group],
        "base": mean(base),
        "new": mean(new),
        "H": harmonic_mean(mean(base), mean(new)),
        "base_std": deviation(base),
        "new_std": deviation(new),
        **{name: mean([float(record[name]) for record in group]) for name in EXTRAS},
        "trainable": first["trainable"],
        "file_bytes": max(record["file_bytes"] for record in group),
        "seconds": mean([record["seconds"] for record in group]),
        "peak_memory": max((record.get("peak_memory") or 0 for record in group), default=0) or None,
        "rank": first["options"].get("rank"),
        "schedule": first["settings"].get("name"),
        **{name: first[name] for name in ("options", "settings", "views", "sampler", "data")},
        **{name: first[name] for name in ("fingerprint", "dtype")},
    }


def _flat(row: Record) -> dict[str, Any]:
    """Everything that two rows of one method may differ in."""
    flat = {**row["settings"], **row["options"]}
    flat |= {name: row[name] for name in ("shots", "views", "sampler", "data", "fingerprint", "dtype")}
    flat.pop("name", None)
    return flat


def _label(rows: Sequence[dict[str, Any]]) -> None:
    """Give rows of one method, data set and schedule a label with what tells them apart: ``rlp (rank=2)``."""
    for group in _groups(
        rows, lambda r: (r["protocol"], r["dataset"], r["method"], r["shots"], r["schedule"])
    ):
        flats = [_flat(row) for row in group]
        names = [name for name in flats[0] if any(flat.get(name) != flats[0][name] for flat in flats)]
        for row, flat in zip(group, flats, strict=True):
            telling = ", ".join(f"{name}={flat.get(name)}" for name in names)
            row["label"] = f"{row['method']} ({telling})" if telling else row["method"]  # type: ignore[index]


def _averages(rows: Sequence[Record]) -> tuple[list[dict[str, Any]], list[str]]:
    """A row per method over all data sets of a comparison, and why others have none."""
    averages, without = [], []
    for comparison in _groups(rows, lambda r: (r["protocol"], r["shots"], r["fingerprint"], r["dtype"])):
        datasets = {row["dataset"] for row in comparison}
        if len(datasets) < 2:
            continue
        for group in _groups(comparison, _method_of):
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


def _method_of(row: Record) -> str:
    """Method and settings, whatever the data set."""
    kept = {name: value for name, value in _flat(row).items() if name not in OWN_TO_A_DATASET}
    text = json.dumps([row["method"], row["schedule"], kept], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _average(group: Sequence[Record]) -> dict[str, Any]:
    base, new = (mean([row[half] for row in group]) for half in ("base", "new"))
    first = group[0]
    return {
        **first,
        "dataset": AVERAGE,
        "datasets": sorted(row["dataset"] for row in group),
        "data": None,
        "seeds": first["seeds"],
        "base": base,
        "new": new,
        "H": harmonic_mean(base, new),
        **{name: mean([row[name] for row in group]) for name in ("base_std", "new_std", *EXTRAS)},
        "trainable": max(row["trainable"] for row in group),
        "file_bytes": max(row["file_bytes"] for row in group),
        "seconds": mean([row["seconds"] for row in group]),
        "peak_memory": max((row["peak_memory"] or 0 for row in group), default=0) or None,
    }


def _incomplete(
    done: Sequence[Record], failed: Sequence[Record], planned: Sequence[Record]
) -> list[dict[str, Any]]:
    """Rows asked for of which seeds are missing or failed."""
    there = {cell_of(record) for record in done}
    reasons = {cell_of(record): str(record.get("reason", "")) for record in failed}
    wanted = {cell_of(run): run for run in [*failed, *planned] if cell_of(run) not in there}
    entries = []
    for group in _groups(wanted.values(), row_of):
        first = group[0]
        broken = [run for run in group if cell_of(run) in reasons]
        entries.append(
            {
                **{name: first[name] for name in ("protocol", "dataset", "method", "shots", "options")},
                "schedule": first["settings"].get("name"),
                "failed": sorted(run["seed"] for run in broken),
                "missing": sorted(run["seed"] for run in group if run not in broken),
                "reasons": sorted({reasons[cell_of(run)] for run in broken}),
            }
        )
    return sorted(entries, key=_order)


def _order(row: Record) -> tuple[Any, ...]:
    own = (row.get("trainable", 0), row["method"], str(row.get("schedule")), str(row.get("label")))
    return (row["protocol"], row["dataset"] == AVERAGE, row["dataset"], row["shots"], *own)
