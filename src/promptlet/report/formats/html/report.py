"""A summary as one self-contained HTML page, from which every number can be traced to its runs.

What the page says is made here, as plain data; ``templates/report.html`` arranges it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlet.pages import Figure, Table, render
from promptlet.pages.table import AVERAGE as SUMMING_UP
from promptlet.pages.table import MISSING
from promptlet.protocols.records.measures import MEASURES
from promptlet.report.figures.gallery import gallery
from promptlet.report.formats import difference_tables
from promptlet.report.formats.html.traces import settings_and_runs
from promptlet.report.formats.marks import published_legend, published_rows
from promptlet.report.formats.tables import cells, explained, head_of, incomplete_cells
from promptlet.report.published.tables import PublishedTable, published_tables
from promptlet.report.statistics import provenance
from promptlet.report.statistics.comparisons import AVERAGE, grouped
from promptlet.report.statistics.differences import paired_differences
from promptlet.report.statistics.summary import Summary

INTRODUCTION = "Accuracies are top-1, in percent, means over seeds with their population deviation."
OF_H = (
    "H is the harmonic mean of the mean base and mean new accuracy, and of averages in the average row; its "
    "deviation is that of the H of each seed."
)
OF_AVERAGES = "Deviations in the average row are means of those of the data sets."
ONLY_RUN = "Only what was run is shown; published numbers are marked as such."
SEVERAL_BACKBONES = "There is more than one backbone: their rows are neither averaged nor compared."
SEVERAL_VERSIONS = "The runs were made with more than one set of versions."
LACKING_HEAD = (
    *("protocol", "data set", "method", "schedule", "shots"),
    *("missing", "failed", "reasons", "runs"),
)


@dataclass(frozen=True)
class Part:
    """A table with what stands around it: a title and a warning above, notes and numbered sources below."""

    table: Table
    title: str = ""
    warning: str = ""
    notes: Sequence[str] = ()
    sources: Sequence[str] = ()


def html_report(summary: Summary, against: str | None = None, title: str = "Promptlet report") -> str:
    """The page. against: as in `paired_differences`. Raises OptionError for a method that is not there."""
    beside = published_tables(summary)
    protocols = dict.fromkeys(one["protocol"] for one in [*summary.rows, *summary.incomplete])
    return render(
        "promptlet.report.formats.html:report.html",
        title,
        introduction=_introduction(summary, list(protocols)),
        run=_run(summary),
        protocols=[_protocol(name, summary, beside) for name in protocols],
        lacking=_lacking(summary),
        differences=_differences(summary, against),
        pictures=_pictures(summary),
        settings=settings_and_runs(summary),
        papers=list(summary.papers.items()),
    )


def _introduction(summary: Summary, protocols: Sequence[str]) -> str:
    """What a reader needs of the protocols that are there, and of no others."""
    has_h = any(MEASURES[name].has_h for name in protocols)
    has_average = any(row["dataset"] == AVERAGE for row in summary.rows)
    return " ".join((INTRODUCTION, *[OF_H] * has_h, *[OF_AVERAGES] * has_average, ONLY_RUN))


def _run(summary: Summary) -> dict[str, Any]:
    """What was run, on what."""
    run = provenance.what_was_run(summary)
    rows = provenance.circumstances(summary)
    tables = [Table("What was run", provenance.RUN_HEAD, run, wraps=True)]
    if rows:
        head = provenance.CIRCUMSTANCES_HEAD
        tables.append(Table("Backbones, devices and versions", head, rows, wraps=True))
    notes = [SEVERAL_BACKBONES] if len({row[2:4] for row in rows}) > 1 else []
    notes += [SEVERAL_VERSIONS] if len({row[5] for row in rows}) > 1 else []
    return {"tables": tables, "notes": notes}


def _protocol(name: str, summary: Summary, beside: Sequence[PublishedTable]) -> dict[str, Any]:
    return {
        "name": name,
        "results": _results(name, summary),
        "explained": explained(name, summary),
        "published": [_published(one) for one in beside if one.protocol == name],
    }


def _results(protocol: str, summary: Summary) -> list[Part]:
    """The protocol's table; one for each backbone where there are several."""
    own = [one for one in [*summary.rows, *summary.incomplete] if one["protocol"] == protocol]
    groups = grouped(own, lambda one: (one["fingerprint"], one["dtype"]))
    names = {row["fingerprint"]: row["backbone"] for row in summary.rows}
    parts = []
    for group in groups:
        fingerprint, dtype = group[0]["fingerprint"], group[0]["dtype"]
        title = f"Backbone {names.get(fingerprint) or ''} {fingerprint}, {dtype}" if len(groups) > 1 else ""
        label = f"Results of {protocol}{', ' if title else ''}{title}"
        rows = [cells(one) if _is_row(one) else incomplete_cells(one) for one in group]
        parts.append(Part(Table(label, head_of(protocol), rows, [_kind(one) for one in group]), title))
    return parts


def _is_row(one: Mapping[str, Any]) -> bool:
    """Whether there are results, and not only what they lack."""
    return "seeds" in one


def _kind(one: Mapping[str, Any]) -> str:
    if not _is_row(one):
        return MISSING
    return SUMMING_UP if one["dataset"] == AVERAGE else ""


def _published(one: PublishedTable) -> Part:
    title = f"{one.title}, not run here"
    table = Table(f"{title}: {one.protocol}", one.head, published_rows(one))
    return Part(table, title, one.warning, published_legend(one), one.sources)


def _lacking(summary: Summary) -> dict[str, Any]:
    """What is missing or failed, why, and what was left out."""
    rows = [_reasons(entry) for entry in summary.incomplete]
    table = Table("Missing and failed runs", LACKING_HEAD, rows, wraps=True) if rows else None
    return {"table": table, "problems": summary.problems}


def _reasons(entry: Mapping[str, Any]) -> tuple[str, ...]:
    _, method, schedule, shots, *_ = incomplete_cells(entry)
    seeds = [", ".join(map(str, entry[name])) or "-" for name in ("missing", "failed")]
    reasons = "; ".join(entry["reasons"]) or "not run yet"
    keys = ", ".join(entry["keys"])
    return (entry["protocol"], entry["dataset"], method, schedule, shots, *seeds, reasons, keys)


def _differences(summary: Summary, against: str | None) -> dict[str, Any]:
    found = paired_differences(summary, against)
    parts = []
    for comparison, rows in difference_tables.by_comparison(found).items():
        title = f"{comparison}, against {rows[0].against}"
        kinds = [SUMMING_UP if row.dataset == AVERAGE else "" for row in rows]
        head, words = difference_tables.table_of(rows)
        parts.append(Part(Table(f"Differences: {title}", head, words, kinds), title))
    explained = difference_tables.explained(found) if found.rows else ""
    return {"parts": parts, "explained": explained, "notes": found.notes}


def _pictures(summary: Summary) -> list[tuple[str, list[dict[str, Any]]]]:
    """By title: each figure with the sources of published points in it."""
    return [
        (title, [{"figure": Figure(one.png, one.caption), "sources": one.sources} for one in own])
        for title, own in gallery(summary).items()
    ]
