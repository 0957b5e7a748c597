"""Where the numbers of a report come from: what was run, on what, when, with which settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from promptlet.protocols.records.measures import MEASURES, TRANSFERS
from promptlet.protocols.records.shapes import Done, Machine, Record, is_done, score
from promptlet.report.statistics.comparisons import AVERAGE, grouped
from promptlet.report.statistics.differences import measured
from promptlet.report.statistics.summary import Summary, backbone_of

RUN_HEAD = ("protocol", "data sets", "methods", "shots", "seeds", "runs")
CIRCUMSTANCES_HEAD = (
    "what",
    "backbone",
    "fingerprint",
    "weights",
    "device",
    "versions",
    "runs",
    "dates (UTC)",
)
SETTINGS_HEAD = ("method", "shots", "options", "schedule", "views", "sampler")
UNTOLD = "not told"
OWN = "template"
"""An option that is a data set's own; the runs tell it."""


def what_was_run(summary: Summary) -> list[tuple[str, ...]]:
    """A row per protocol under `RUN_HEAD`."""
    rows: list[tuple[str, ...]] = []
    for protocol in dict.fromkeys(one["protocol"] for one in [*summary.rows, *summary.incomplete]):
        own = [row for row in summary.rows if row["protocol"] == protocol and row["dataset"] != AVERAGE]
        lacking = [entry for entry in summary.incomplete if entry["protocol"] == protocol]
        every = [*own, *lacking]
        datasets = _list(one["dataset"] for one in every)
        if protocol in TRANSFERS:
            datasets += f" (trained on {_list(one['source'] for one in every)})"
        seeds = {seed for row in own for seed in row["seeds"]}
        seeds |= {seed for entry in lacking for seed in (*entry["missing"], *entry["failed"])}
        rows.append(
            (
                protocol,
                datasets,
                _list(one["method"] for one in every),
                _list(sorted({one["shots"] for one in every})),
                _list(sorted(seeds)),
                _states(protocol, summary),
            )
        )
    return rows


def circumstances(summary: Summary) -> list[tuple[str, ...]]:
    """A row under `CIRCUMSTANCES_HEAD` for every backbone, device and set of versions of finished runs, and
    of the trainings that several of them share."""
    done = [cast("Done", record) for record in summary.runs.values() if is_done(record)]
    told: list[tuple[str, Done, Machine]] = [("runs", record, record) for record in done]
    trainings: dict[str | None, tuple[str, Done, Machine]] = {
        record["trained"].get("key"): ("trainings", record, record["trained"])
        for record in done
        if "trained" in record
    }
    seen = [(*_machine(*one), one[2].get("date", "")) for one in [*told, *trainings.values()]]
    rows: list[tuple[str, ...]] = []
    for group in grouped(seen, lambda one: one[:-1]):
        dates = sorted(one[-1] for one in group if one[-1])
        when = UNTOLD if not dates else dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        rows.append((*group[0][:-1], str(len(group)), when))
    return rows


def settings(summary: Summary, protocol: str) -> list[tuple[str, ...]]:
    """A row under `SETTINGS_HEAD` for every method and all its settings, with the shots it was run with."""
    own = [row for row in summary.rows if row["protocol"] == protocol and row["dataset"] != AVERAGE]
    rows: list[tuple[str, ...]] = []
    for group in grouped(own, lambda row: json.dumps([row["method"], *_settings(row)], default=str)):
        shots = _list(sorted({row["shots"] for row in group}))
        rows.append((group[0]["method"], shots, *_settings(group[0])))
    return rows


def runs_head(protocol: str) -> tuple[str, ...]:
    """The head of a table of single runs."""
    names = MEASURES[protocol].shown.values()
    return ("run", "seed", *names, "numbers", "bytes", "seconds", "device", "date (UTC)")


def runs_of(row: Mapping[str, Any], runs: Mapping[str, Record]) -> list[tuple[str, ...]]:
    """The runs that a row is the mean of, under `runs_head`; H is that of each run."""
    records = [cast("Done", runs[key]) for key in row["keys"]]
    return [
        (
            record["key"],
            str(record["seed"]),
            *_shown(row["protocol"], record),
            f"{record['trainable']:,}",
            f"{record['file_bytes']:,}",
            f"{record['seconds']:.1f}",
            record.get("device") or UNTOLD,
            record.get("date") or UNTOLD,
        )
        for record in records
    ]


def in_words(values: Mapping[str, Any], without: Sequence[str] = ()) -> str:
    """``rank=1, n_ctx=4``; a dash for none."""
    return ", ".join(f"{name}={value}" for name, value in values.items() if name not in without) or "-"


def _settings(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        in_words(row["options"], [OWN]),
        in_words(row["settings"]),
        str(row["views"]),
        str(row["sampler"]),
    )


def _machine(what: str, record: Done, made: Machine) -> tuple[str, ...]:
    versions = " ".join(f"{name} {value}" for name, value in made.get("versions", {}).items())
    told = (backbone_of(record), record["fingerprint"], record["dtype"], made.get("device"), versions)
    return (what, *(text or UNTOLD for text in told))


def _states(protocol: str, summary: Summary) -> str:
    """``297 finished, 3 failed, 33 missing``."""
    own = [record for record in summary.runs.values() if record["protocol"] == protocol]
    lacking = [entry for entry in summary.incomplete if entry["protocol"] == protocol]
    counts = {"finished": sum(record["status"] == "done" for record in own)}
    counts |= {name: sum(len(entry[name]) for entry in lacking) for name in ("failed", "missing")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "finished")


def _shown(protocol: str, record: Done) -> list[str]:
    """Its scores, in the order of `runs_head`."""
    found = measured(protocol, record)
    return [
        f"{found[name] if name in found else score(record, name):.2f}" for name in MEASURES[protocol].shown
    ]


def _list(values: Any) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))
