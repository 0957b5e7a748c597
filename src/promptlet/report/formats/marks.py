"""Marks of rows whose settings were chosen for their data set or on test images, and the legend of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from promptlet.report.formats import spreads
from promptlet.report.published.tables import PublishedTable
from promptlet.report.statistics.chosen import KINDS, ON_TEST, PER_DATASET, SIGNS, TOLD, Choice, marked
from promptlet.report.statistics.studies import StudyResult, study_table

IN_LATEX: Mapping[str, str] = {PER_DATASET: r"$^{\dagger}$", ON_TEST: r"$^{\ddagger}$"}
UNMARKED = (
    "Rows without a mark have the same settings on every data set, as far as is known here; a comparison of "
    "the two is uneven."
)


def legend(rows: Iterable[tuple[str, Sequence[Choice]]]) -> list[str]:
    """A line for each mark that rows bear, by their names, with the reasons; one more on what bears none."""
    lines = []
    every = list(rows)
    for kind in KINDS:
        of: dict[str, dict[str, None]] = {}
        for name, choices in every:
            for one in choices:
                if one["kind"] == kind:
                    of.setdefault(one["why"], {})[name] = None
        reasons = [f"{', '.join(names)} ({why})" for why, names in of.items()]
        lines += [f"{SIGNS[kind]} {TOLD[kind]}: {'; '.join(reasons)}."] if reasons else []
    return [*lines, UNMARKED] if lines else []


def published_rows(table: PublishedTable) -> list[tuple[str, ...]]:
    """The rows of a table of published numbers, their methods marked."""
    rows = zip(table.rows, table.chosen, strict=True)
    return [(place, marked(name, chosen), *rest) for (place, name, *rest), chosen in rows]


def published_legend(table: PublishedTable) -> list[str]:
    """The legend of such a table."""
    names = [name for _, name, *_ in table.rows]
    return legend(zip(names, table.chosen, strict=True))


def study_rows(result: StudyResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """`study_table` with its methods marked."""
    head, lines = study_table(result)
    rows = [row for _, row, _ in result.lines]
    return head, [
        (marked(name, row["chosen"] if row is not None else ()), *rest)
        for (name, *rest), row in zip(lines, rows, strict=True)
    ]


def study_notes(result: StudyResult) -> list[str]:
    """What stands below such a table: its marks, and what its seeds tell."""
    rows = [row for row in result.rows if row is not None]
    return [*legend((row["method"], row["chosen"]) for row in rows), *spreads.explained(rows)]
