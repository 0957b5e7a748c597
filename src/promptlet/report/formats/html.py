"""A summary as one self-contained HTML page, from which every number can be traced to its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlet.protocols.records.measures import MEASURES
from promptlet.report.figures.gallery import Picture, gallery
from promptlet.report.formats import difference_tables
from promptlet.report.formats.page import Page
from promptlet.report.formats.tables import cells, head_of, incomplete_cells
from promptlet.report.published.tables import PublishedTable, published_tables
from promptlet.report.statistics import provenance
from promptlet.report.statistics.comparisons import AVERAGE, grouped
from promptlet.report.statistics.differences import paired_differences
from promptlet.report.statistics.summary import Summary

INTRODUCTION = (
    "Accuracies are top-1, in percent, means over seeds with their population deviation; H is the harmonic "
    "mean of the mean base and mean new accuracy, and of averages in the average row; its deviation is that "
    "of the H of each seed. Deviations in the average row are means of those of the data sets. Only what was "
    "run is shown; published numbers are marked as such."
)


def html_report(summary: Summary, against: str | None = None, title: str = "Promptlet report") -> str:
    """The page. against: as in `paired_differences`. Raises OptionError for a method that is not there."""
    page = Page(title)
    page.contents()
    page.paragraph(INTRODUCTION)
    _run(page, summary)
    beside = published_tables(summary)
    for protocol in dict.fromkeys(one["protocol"] for one in [*summary.rows, *summary.incomplete]):
        page.heading(protocol)
        _results(page, protocol, summary)
        if MEASURES[protocol].told:
            page.paragraph(MEASURES[protocol].told, note=True)
        for one in beside:
            if one.protocol == protocol:
                _published(page, one)
    _incomplete(page, summary)
    _differences(page, summary, against)
    _figures(page, gallery(summary))
    _settings(page, summary)
    for title, entries in summary.papers.items():
        page.heading(title)
        page.commands(["\n\n".join(entries)])
    return page.render()


def _run(page: Page, summary: Summary) -> None:
    page.heading("What was run")
    page.table(provenance.RUN_HEAD, provenance.what_was_run(summary), words=True)
    rows = provenance.circumstances(summary)
    if rows:
        page.table(provenance.CIRCUMSTANCES_HEAD, rows, words=True)
    if len({row[2:4] for row in rows}) > 1:
        page.paragraph(
            "There is more than one backbone: their rows are neither averaged nor compared.", note=True
        )
    if len({row[5] for row in rows}) > 1:
        page.paragraph("The runs were made with more than one set of versions.", note=True)


def _results(page: Page, protocol: str, summary: Summary) -> None:
    """The protocol's table; one for each backbone where there are several."""
    own = [one for one in [*summary.rows, *summary.incomplete] if one["protocol"] == protocol]
    groups = grouped(own, lambda one: (one["fingerprint"], one["dtype"]))
    names = {row["fingerprint"]: row["backbone"] for row in summary.rows}
    for group in groups:
        fingerprint, dtype = group[0]["fingerprint"], group[0]["dtype"]
        if len(groups) > 1:
            page.subheading(f"Backbone {names.get(fingerprint) or ''} {fingerprint}, {dtype}")
        is_row = ["seeds" in one for one in group]
        kinds = [_kind(one) if known else "missing" for one, known in zip(group, is_row, strict=True)]
        told = [
            cells(one) if known else incomplete_cells(one) for one, known in zip(group, is_row, strict=True)
        ]
        page.table(head_of(protocol), told, kinds)


def _kind(row: Mapping[str, Any]) -> str:
    return "average" if row["dataset"] == AVERAGE else ""


def _published(page: Page, table: PublishedTable) -> None:
    page.subheading(f"{table.title}, not run here")
    if table.warning:
        page.paragraph(table.warning)
    page.table(table.head, table.rows)
    page.items(table.sources)


def _incomplete(page: Page, summary: Summary) -> None:
    """What is missing or failed, why, and what was left out."""
    if not summary.incomplete and not summary.problems:
        return
    page.heading("Missing, failed, left out")
    if summary.incomplete:
        head = ("protocol", "data set", "method", "schedule", "shots", "missing", "failed", "reasons", "runs")
        page.table(head, [_lacking(entry) for entry in summary.incomplete], words=True)
    if summary.problems:
        page.items(summary.problems)


def _lacking(entry: Mapping[str, Any]) -> tuple[str, ...]:
    _, method, schedule, shots, *_ = incomplete_cells(entry)
    seeds = [", ".join(map(str, entry[name])) or "-" for name in ("missing", "failed")]
    reasons = "; ".join(entry["reasons"]) or "not run yet"
    keys = ", ".join(entry["keys"])
    return (entry["protocol"], entry["dataset"], method, schedule, shots, *seeds, reasons, keys)


def _differences(page: Page, summary: Summary, against: str | None) -> None:
    found = paired_differences(summary, against)
    if not found.rows and not found.notes:
        return
    page.heading("Differences")
    for title, rows in difference_tables.by_comparison(found).items():
        page.subheading(f"{title}, against {rows[0].against}")
        kinds = ["average" if row.dataset == AVERAGE else "" for row in rows]
        page.table(*difference_tables.table_of(rows), kinds)
    if found.rows:
        page.paragraph(difference_tables.explained(found), note=True)
    if found.notes:
        page.items(found.notes)


def _figures(page: Page, pictures: Mapping[str, Sequence[Picture]]) -> None:
    if not pictures:
        return
    page.heading("Figures")
    for title, own in pictures.items():
        page.subheading(title)
        for picture in own:
            page.figure(picture.png, picture.caption)
            if picture.sources:
                with page.details("Sources of the published points"):
                    page.items(picture.sources)


def _settings(page: Page, summary: Summary) -> None:
    """Every option and every schedule, and the runs of every row."""
    rows = [row for row in summary.rows if row["dataset"] != AVERAGE]
    if not rows:
        return
    page.heading("Settings and runs")
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        page.subheading(protocol)
        page.table(provenance.SETTINGS_HEAD, provenance.settings(summary, protocol), words=True)
        own = [row for row in rows if row["protocol"] == protocol]
        with page.details(f"The runs behind each of the {len(own)} rows of {protocol}"):
            for row in own:
                _runs(page, row, summary)


def _runs(page: Page, row: Mapping[str, Any], summary: Summary) -> None:
    dataset, label, schedule, shots, *_ = cells(row)
    source = f", from {row['source']}" if row.get("source") else ""
    with page.details(f"{dataset}{source}, {label}, schedule {schedule}, shots {shots}"):
        facts = [
            f"content of the data set: {row['data']}"
            + (f"; of the source: {row['source_data']}" if row.get("source_data") else ""),
            f"backbone: {row['backbone'] or provenance.UNTOLD}, {row['fingerprint']}, {row['dtype']}",
            f"options: {provenance.in_words(row['options'])}",
            f"schedule: {provenance.in_words(row['settings'])}",
            f"views: {row['views']}; sampler: {row['sampler']}",
        ]
        page.items(facts)
        page.table(provenance.runs_head(row["protocol"]), provenance.runs_of(row, summary.runs))
