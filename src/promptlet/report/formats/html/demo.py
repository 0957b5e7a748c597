"""The page of `promptlet demo`: a comparison, one prompt, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlet.pages import Figure, Table, render
from promptlet.pages.table import AVERAGE as SUMMING_UP
from promptlet.pages.table import MISSING
from promptlet.papers import bibliography
from promptlet.report.figures.charts import bars_by_dataset, base_against_new
from promptlet.report.formats.tables import HEAD, cells, incomplete_cells
from promptlet.report.statistics.comparisons import AVERAGE
from promptlet.report.statistics.summary import Summary

TITLE = "Promptlet demo: zero-shot, CoOp and RLP on a drawn world"
INTRODUCTION = (
    "Each method saw 16 pictures of each base class of a small drawn world; new classes are named only "
    "afterwards. Accuracies are in percent, means over seeds. They show how the methods behave on this "
    "world and its small backbone, and say nothing about CLIP on photographs."
)
OF_BARS = (
    "Harmonic mean of base and new accuracy, by data set, with its deviation over seeds; the axis "
    "does not begin at 0"
)
OF_POINTS = "A point per data set and method; on the line, both are equal"
OF_SHEET = "Test pictures with the answer; red: wrong. The second half are new classes."


def demo_html(
    summary: Summary, dataset: str, prompt: Mapping[str, Any], sheet: bytes, note: str, steps: Sequence[str]
) -> str:
    """The page. dataset: that of the one prompt. prompt: its ``name``, ``bytes``, and how often (percent) it
    is right on ``base`` and ``new`` classes. sheet: its contact sheet (PNG). note: on other names.
    steps: commands to go on with."""
    return render(
        "promptlet.report.formats.html:demo.html",
        TITLE,
        introduction=[INTRODUCTION, note],
        results=_results(summary),
        problems=summary.problems,
        figures=_figures(summary),
        dataset=dataset,
        of_prompt=(
            f"{prompt['name']} has {prompt['bytes']:,} bytes. It is right on {prompt['base']:.1f} % of the "
            f"base classes' test pictures and on {prompt['new']:.1f} % of those of classes never trained on."
        ),
        sheet=Figure(sheet, OF_SHEET),
        papers=bibliography(summary.methods),
        next_steps=steps,
    )


def _results(summary: Summary) -> Table:
    rows = [*map(cells, summary.rows), *map(incomplete_cells, summary.incomplete)]
    kinds = [SUMMING_UP if row["dataset"] == AVERAGE else "" for row in summary.rows]
    return Table("Base and new classes", HEAD, rows, [*kinds, *[MISSING] * len(summary.incomplete)])


def _figures(summary: Summary) -> list[Figure]:
    rows = [row for row in summary.rows if row["dataset"] != AVERAGE]
    if not rows:
        return []
    return [Figure(bars_by_dataset(rows), OF_BARS), Figure(base_against_new(rows), OF_POINTS)]
