"""A study as Markdown: each result with its table and notes."""

from __future__ import annotations

from promptlet.characters import markdown_row
from promptlet.protocols.plan.studies import Study
from promptlet.report.formats.markdown.report import one_a_line
from promptlet.report.formats.marks import study_notes, study_rows
from promptlet.report.statistics.studies import study_results, unplaced
from promptlet.report.statistics.summary import Summary


def study_markdown(summary: Summary, study: Study) -> str:
    """All results of a study as tables, ending in a line feed."""
    found = study_results(summary, study)
    lines = [f"## Study: {study.name}", "", study.question, ""]
    for result in found:
        head, rows = study_rows(result)
        lines += [f"### {result.title}", "", result.circumstances, ""]
        lines += [markdown_row(head), markdown_row(["---"] * len(head)), *map(markdown_row, rows), ""]
        lines += [line for told in study_notes(result) for line in (told, "")]
        lines += [*(f"- {note}" for note in result.notes), *([""] if result.notes else [])]
    lines += ["no results yet", ""] if not found else []
    lines += [f"- {entry}" for entry in unplaced(summary, study)]
    lines += [f"- note: {problem}" for problem in summary.problems]
    return one_a_line(lines)
