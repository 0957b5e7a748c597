"""From the rows of a page to their runs: every option, every schedule, every key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlet.pages import Table
from promptlet.report.formats.tables import cells
from promptlet.report.statistics import provenance
from promptlet.report.statistics.comparisons import AVERAGE
from promptlet.report.statistics.summary import Summary


def settings_and_runs(summary: Summary) -> list[dict[str, Any]]:
    """For each protocol: its table of settings, and what is behind each row of its results."""
    rows = [row for row in summary.rows if row["dataset"] != AVERAGE]
    return [
        _of_protocol(protocol, [row for row in rows if row["protocol"] == protocol], summary)
        for protocol in dict.fromkeys(row["protocol"] for row in rows)
    ]


def _of_protocol(protocol: str, rows: list[dict[str, Any]], summary: Summary) -> dict[str, Any]:
    settings = provenance.settings(summary, protocol)
    return {
        "protocol": protocol,
        "table": Table(f"Settings of {protocol}", provenance.SETTINGS_HEAD, settings, wraps=True),
        "summary": f"The runs behind each of the {len(rows)} rows of {protocol}",
        "rows": [_of_row(row, summary) for row in rows],
    }


def _of_row(row: Mapping[str, Any], summary: Summary) -> dict[str, Any]:
    dataset, label, schedule, shots, *_ = cells(row)
    source = f", from {row['source']}" if row.get("source") else ""
    name = f"{dataset}{source}, {label}, schedule {schedule}, shots {shots}"
    head = provenance.runs_head(row["protocol"])
    runs = Table(f"Runs of {name}", head, provenance.runs_of(row, summary.runs))
    return {"summary": name, "facts": _facts(row), "runs": runs}


def _facts(row: Mapping[str, Any]) -> list[str]:
    source = f"; of the source: {row['source_data']}" if row.get("source_data") else ""
    draws = provenance.UNTOLD if row["draws"] is None else row["draws"]
    return [
        f"content of the data set: {row['data']}{source}",
        f"backbone: {row['backbone'] or provenance.UNTOLD}, {row['fingerprint']}, {row['dtype']}",
        f"options: {provenance.in_words(row['options'])}",
        f"schedule: {provenance.in_words(row['settings'])}",
        f"views: {row['views']}; sampler: {row['sampler']}",
        *(f"chosen: {choice['why']}" for choice in row["chosen"]),
        f"different results of its seeds: {row['effective_seeds']}; different draws of images: {draws}",
    ]
