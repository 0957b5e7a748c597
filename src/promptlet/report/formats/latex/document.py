"""A summary as tables in LaTeX, in the forms of the field's papers: a table environment per `Table`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import promptlet
from promptlet.protocols.records.measures import FEW_SHOT, MEASURES, TRANSFERS
from promptlet.report.formats.latex.captions import caption
from promptlet.report.formats.latex.tables import Line, Method, Table, tables_of
from promptlet.report.formats.latex.text import Cell, best_in_bold, escaped, joined, mark, stacked
from promptlet.report.formats.marks import IN_LATEX
from promptlet.report.statistics.comparisons import Row, grouped, spread_of
from promptlet.report.statistics.summary import Summary

MOST_COLUMNS = 8
"""How many columns of numbers are set as large as the text."""
SIZES = ((55, r"\scriptsize"), (40, r"\footnotesize"))
"""With more lines than this, a table would not fit on a page in larger type."""


def latex_report(summary: Summary) -> str:
    """The text, ending in a line feed. It tells neither of `Summary.problems` nor why a run failed."""
    tables = tables_of(summary)
    labels: list[str] = []
    for table in tables:
        label = "tab:" + re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-")
        labels.append(label if label not in labels else f"{label}-table-{len(labels) + 1}")
    head = (
        f"% Promptlet {promptlet.__version__}. Needs \\usepackage{{booktabs}}.\n"
        "% BibTeX of the methods' papers: at the end of the same report as Markdown."
    )
    parts = [_environment(table, label) for table, label in zip(tables, labels, strict=True)]
    return "\n\n".join([head, *(parts or ["% no results yet"])]) + "\n"


def _environment(table: Table, label: str) -> str:
    columns, body = _transfer(table) if table.protocol in TRANSFERS else _by_dataset(table)
    told = caption(table, has_bold=any(r"\textbf{" in line for line in body))
    lines = [r"\centering", rf"\caption{{{told}}}", rf"\label{{{label}}}", *_sizes(columns, body)]
    lines += [rf"\begin{{tabular}}{{{columns}}}", *(f"  {line}" for line in body), r"\end{tabular}"]
    return "\n".join([r"\begin{table}[t]", *(f"  {line}" for line in lines), r"\end{table}"])


def _sizes(columns: str, body: Sequence[str]) -> list[str]:
    """Smaller type for what is wide or long, with no package; captions keep their size."""
    is_wide = columns.count("c") > MOST_COLUMNS
    count = sum(line.endswith(r"\\") for line in body)
    size = next((size for most, size in SIZES if count > most), r"\small" if is_wide else "")
    return [*filter(None, [size]), *[r"\setlength{\tabcolsep}{3pt}"] * is_wide]


def _by_dataset(table: Table) -> tuple[str, list[str]]:
    """A block of lines per data set, of scores or, in few-shot, of shots; a column per method. Columns and
    lines."""
    by_shots = table.protocol == FEW_SHOT
    heads = [stacked(method.name) + _signs(method.kinds) for method in table.methods]
    blocks = grouped(table.lines, table.name_of)
    between = [r"\addlinespace"] if not by_shots or any(len(lines) > 1 for lines in blocks) else []
    body = [r"\toprule", joined(["Data set", "Shots" if by_shots else "", *heads])]
    for i, lines in enumerate(blocks):
        body += [*(between if i else [r"\midrule"]), *_block(table, lines)]
    body += [r"\midrule", *_block(table, table.averages)] if table.averages else []
    return ("lr" if by_shots else "ll") + "c" * len(heads), [*body, r"\bottomrule"]


def _block(table: Table, lines: Sequence[Line]) -> list[str]:
    """The lines of a data set, or of the average; its name stands in the first of them."""
    told: list[str] = []
    measures = MEASURES[table.protocol]
    for line in lines:
        for score in measures.compared:
            name, word = "" if told else escaped(table.name_of(line)), measures.shown[score]
            second = str(line.shots) if table.protocol == FEW_SHOT else f"{word[0].upper()}{word[1:]}"
            cells = [_cell(table, method, method.rows.get(line), score) for method in table.methods]
            told.append(joined([name, second, *best_in_bold(cells)]))
    return told


def _transfer(table: Table) -> tuple[str, list[str]]:
    """Cross-dataset and domain-shift: a line per method, columns of source, targets, average."""
    targets = [*table.lines, *table.averages]
    methods = table.methods
    columns = [[_cell(table, method, _on_source(method), "source_accuracy") for method in methods]]
    for line in targets:
        columns.append([_cell(table, method, method.rows.get(line), "accuracy") for method in methods])
    heads = [table.source or "", *map(table.name_of, targets)]
    names = [escaped(method.name) + _signs(method.kinds) for method in methods]
    body = [
        r"\toprule",
        joined(["", "Source", rf"\multicolumn{{{len(targets)}}}{{c}}{{Target}}"]),
        rf"\cmidrule(lr){{2-2}} \cmidrule(lr){{3-{len(targets) + 2}}}",
        joined(["Method", *map(stacked, heads)]),
        r"\midrule",
        *(joined(cells) for cells in zip(names, *map(best_in_bold, columns), strict=True)),
        r"\bottomrule",
    ]
    return "l" + "c" * len(columns), body


def _on_source(method: Method) -> Row | None:
    """The row whose accuracy on the source is shown: the average, else one of the most seeds."""
    return max(method.rows.values(), key=lambda row: ("datasets" in row, len(row["seeds"])), default=None)


def _signs(kinds: Sequence[str]) -> str:
    return "".join(IN_LATEX[kind] for kind in kinds)


def _cell(table: Table, method: Method, row: Row | None, score: str) -> Cell:
    if row is None:
        return Cell()
    spread = spread_of(row, score)
    told = "" if spread is None else rf" {{\scriptsize $\pm${spread:.2f}}}"
    own = mark(table.seeds.index(tuple(row["seeds"]))) + _signs(method.kinds_at(row))
    return Cell(f"{row[score]:.2f}", told + own)
