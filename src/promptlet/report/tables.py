"""A `Summary` as Markdown or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from promptlet.errors import check_option
from promptlet.papers import bibliography
from promptlet.report.summary import Summary

FORMATS = ("markdown", "csv")
COLUMNS = (
    *(
        "protocol",
        "dataset",
        "method",
        "schedule",
        "shots",
        "seeds",
        "base",
        "new",
        "H",
        "base_std",
        "new_std",
    ),
    *("base_ece", "new_ece", "base_macro_f1", "new_macro_f1", "trainable", "file_bytes", "seconds"),
    "peak_memory",
)
HEAD = (
    *("data set", "method", "schedule", "shots", "seeds", "base", "new", "H"),
    *("ECE base/new", "numbers", "bytes", "seconds", "MiB"),
)


def render(summary: Summary, format: str = "markdown") -> str:
    """The table, ending in a line feed."""
    check_option("format", format, FORMATS)
    return _csv(summary) if format == "csv" else _markdown(summary)


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table in words, under `HEAD`."""
    seeds = row["seeds"]
    return (
        row["dataset"],
        row["label"],
        row["schedule"] or "-",
        str(row["shots"]),
        ",".join(map(str, seeds)),
        _score(row["base"], row["base_std"], len(seeds)),
        _score(row["new"], row["new_std"], len(seeds)),
        f"{row['H']:.2f}",
        f"{row['base_ece']:.1f}/{row['new_ece']:.1f}",
        f"{row['trainable']:,}",
        f"{row['file_bytes']:,}",
        f"{row['seconds']:.1f}",
        "-" if row["peak_memory"] is None else f"{row['peak_memory'] / 2**20:,.0f}",
    )


def incomplete_cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of what is missing or failed, under `HEAD`."""
    words = [
        f"{what}: seed {', '.join(map(str, entry[what]))}" for what in ("missing", "failed") if entry[what]
    ]
    rank = f" (rank={entry['options']['rank']})" if "rank" in entry["options"] else ""
    head = (entry["dataset"], entry["method"] + rank, entry["schedule"] or "-", str(entry["shots"]))
    return (*head, "; ".join(words), *[""] * (len(HEAD) - 5))


def _score(value: float, std: float, seeds: int) -> str:
    return f"{value:.2f} ± {std:.2f}" if seeds > 1 else f"{value:.2f}"


def _markdown(summary: Summary) -> str:
    lines = []
    protocols = dict.fromkeys(row["protocol"] for row in [*summary.rows, *summary.incomplete])
    for protocol in protocols:
        lines += [f"### {protocol}", "", _line(HEAD), _line(["---"] * len(HEAD))]
        lines += [_line(cells(row)) for row in summary.rows if row["protocol"] == protocol]
        lines += [_line(incomplete_cells(e)) for e in summary.incomplete if e["protocol"] == protocol]
        lines += [""]
    reasons = dict.fromkeys(reason for entry in summary.incomplete for reason in entry["reasons"])
    lines += [f"- failed: {reason}" for reason in reasons]
    lines += [f"- note: {problem}" for problem in summary.problems]
    entries = bibliography(summary.methods)
    if entries:
        lines += ["", "Papers of these methods:", "", "```bibtex", "\n\n".join(entries), "```"]
    return "\n".join(lines or ["no results yet"]).rstrip() + "\n"


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('|', '/') for value in values)} |"


def _csv(summary: Summary) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in summary.rows:
        values = {**row, "method": row["label"], "seeds": " ".join(map(str, row["seeds"]))}
        writer.writerow([values[name] for name in COLUMNS])
    return text.getvalue()
