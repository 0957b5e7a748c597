"""A study as one HTML page: each result with its figure, table and notes."""

from __future__ import annotations

from typing import Any

from promptlet.pages import Figure, Table, render
from promptlet.pages.table import MISSING
from promptlet.protocols.plan.studies import Study
from promptlet.report.figures.study import study_figure
from promptlet.report.formats.marks import study_notes, study_rows
from promptlet.report.statistics.studies import StudyResult, study_results, unplaced
from promptlet.report.statistics.summary import Summary


def study_html(summary: Summary, study: Study) -> str:
    """The page, self-contained as that of a report."""
    return render(
        "promptlet.report.formats.html:study.html",
        f"Promptlet study: {study.name}",
        question=study.question,
        results=[_result(one) for one in study_results(summary, study)],
        notes=[*unplaced(summary, study), *(f"note: {problem}" for problem in summary.problems)],
        papers=list(summary.papers.items()),
    )


def _result(result: StudyResult) -> dict[str, Any]:
    head, rows = study_rows(result)
    kinds = ["" if row is not None else MISSING for _, row, _ in result.lines]
    return {
        "title": result.title,
        "circumstances": result.circumstances,
        "figure": Figure(study_figure(result), f"{result.study.name}: {result.title}"),
        "table": Table(result.title, head, rows, kinds),
        "explained": study_notes(result),
        "notes": result.notes,
    }
