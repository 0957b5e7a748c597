"""A summary as Markdown: tables, what is missing, differences, published numbers if asked for, papers."""

from __future__ import annotations

from collections.abc import Sequence

from promptlet.characters import markdown_row, visible
from promptlet.report.formats import difference_tables
from promptlet.report.formats.marks import published_legend, published_rows
from promptlet.report.formats.tables import explained, head_of, tables
from promptlet.report.published.tables import published_tables
from promptlet.report.statistics.differences import paired_differences
from promptlet.report.statistics.summary import Summary


def markdown_report(summary: Summary, against: str | None = None, published: bool = False) -> str:
    """The text, ending in a line feed. against: as in `paired_differences`.

    published: with the published numbers on the report's data sets.
    """
    lines = []
    for protocol, rows in tables(summary).items():
        lines += [f"### {protocol}", "", *_table(head_of(protocol), rows), ""]
        lines += [line for told in explained(protocol, summary) for line in (told, "")]
    lines += [f"- failed: {words}" for words in _failures(summary)]
    lines += [f"- note: {problem}" for problem in summary.problems]
    lines += _differences(summary, against)
    lines += _published(summary) if published else []
    for title, entries in summary.papers.items():
        lines += ["", f"{title}:", "", "```bibtex", *"\n\n".join(entries).splitlines(), "```"]
    return one_a_line(lines or ["no results yet"])


def _failures(summary: Summary) -> list[str]:
    """A line for each reason, with what it is of."""
    of: dict[str, list[str]] = {}
    for entry in summary.incomplete:
        for reason in entry["reasons"]:
            of.setdefault(reason, []).append(f"{entry['dataset']} {entry['label']}")
    few = {reason: list(dict.fromkeys(names)) for reason, names in of.items()}
    return [
        f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: {reason}"
        for reason, names in few.items()
    ]


def _differences(summary: Summary, against: str | None) -> list[str]:
    found = paired_differences(summary, against)
    lines = []
    for title, rows in difference_tables.by_comparison(found).items():
        lines += [
            f"**{title}, against {rows[0].against}**",
            "",
            *_table(*difference_tables.table_of(rows)),
            "",
        ]
    lines += [difference_tables.explained(found), ""] if found.rows else []
    lines += [f"- note: {note}" for note in found.notes]
    return ["", "## Differences", "", *lines] if lines else []


def _published(summary: Summary) -> list[str]:
    lines = []
    for table in published_tables(summary):
        lines += ["", f"## {table.title}: {table.protocol}, not run here", ""]
        lines += [table.warning, ""] if table.warning else []
        lines += [*_table(table.head, published_rows(table)), ""]
        lines += [line for told in published_legend(table) for line in (told, "")]
        lines += [f"- {source}" for source in table.sources]
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [markdown_row(head), markdown_row(["---"] * len(head)), *map(markdown_row, rows)]


def one_a_line(lines: Sequence[str]) -> str:
    """The text of these lines, each on one line whatever stands in it, ending in a line feed."""
    return "\n".join(map(visible, lines)).rstrip() + "\n"
