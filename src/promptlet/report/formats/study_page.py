"""A study as one HTML page: each result with its figure, table and notes."""

from __future__ import annotations

from promptlet.protocols.plan.studies import Study
from promptlet.report.figures.study import study_figure
from promptlet.report.formats.page import Page
from promptlet.report.statistics.studies import study_results, study_table, unplaced
from promptlet.report.statistics.summary import Summary


def study_html(summary: Summary, study: Study) -> str:
    """The page, self-contained as that of a report."""
    page = Page(f"Promptlet study: {study.name}")
    page.paragraph(study.question)
    page.contents()
    for result in study_results(summary, study):
        page.heading(result.title)
        page.paragraph(result.circumstances, note=True)
        page.figure(study_figure(result), f"{study.name}: {result.title}")
        head, rows = study_table(result)
        kinds = ["" if row is not None else "missing" for _, row, _ in result.lines]
        page.table(head, rows, kinds)
        if result.notes:
            page.items(result.notes)
    if not study_results(summary, study):
        page.paragraph("no results yet")
    notes = [*unplaced(summary, study), *(f"note: {problem}" for problem in summary.problems)]
    if notes:
        page.items(notes)
    for title, entries in summary.papers.items():
        page.heading(title)
        page.commands(entries)
    return page.render()
