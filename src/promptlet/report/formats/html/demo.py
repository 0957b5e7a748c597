"""The page of `promptlet demo`: the main job in chapters, a short comparison, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptlet.pages import Figure, Gallery, Table, render
from promptlet.pages.table import AVERAGE as SUMMING_UP
from promptlet.papers import bibliography
from promptlet.report.figures.charts import bars_by_dataset
from promptlet.report.statistics.comparisons import AVERAGE
from promptlet.report.statistics.summary import Summary

TITLE = "Promptlet demo: what {count:,} learned numbers change"
INTRODUCTION = (
    "A frozen model that knows pictures and words is shown a few pictures of each class, and learns "
    "{count:,} numbers from them. Everything here is drawn, and the model is small: it shows how the methods "
    "behave, and says nothing about CLIP on photographs."
)
OF_BARS = (
    "H, the harmonic mean of taught and new accuracy, by data set, with its deviation over seeds; the axis "
    "does not begin at 0"
)


@dataclass(frozen=True)
class Chapter:
    """A step of the main job: what it is, what it shows in words, and pictures where there are any."""

    title: str
    text: str
    gallery: Gallery | None = None


def demo_html(
    summary: Summary,
    count: int,
    chapters: Sequence[Chapter],
    table: tuple[Sequence[str], Sequence[Sequence[str]]],
    texts: Sequence[str],
    steps: Sequence[str],
) -> str:
    """The page. count: numbers learned in the main job. table: head and rows of the comparison, a row for
    each of the summary's. texts: what stands before it, what it says, and what its columns are. steps:
    commands to go on with."""
    head, rows = table
    kinds = [SUMMING_UP if row["dataset"] == AVERAGE else "" for row in summary.rows]
    before, *after = texts
    return render(
        "promptlet.report.formats.html:demo.html",
        TITLE.format(count=count),
        introduction=INTRODUCTION.format(count=count),
        chapters=[
            (f"{number}. {one.title}", one.text, [one.gallery] if one.gallery else [])
            for number, one in enumerate(chapters, 1)
        ],
        before=before,
        results=Table("Methods compared", head, rows, kinds),
        after=after,
        problems=[*summary.problems, *map(_missing, summary.incomplete)],
        figures=_figures(summary),
        papers=bibliography(summary.methods),
        next_steps=steps,
    )


def _missing(entry: dict[str, object]) -> str:
    return f"{entry['dataset']}, {entry['label']}: some runs are missing or failed"


def _figures(summary: Summary) -> list[Figure]:
    rows = [row for row in summary.rows if row["dataset"] != AVERAGE]
    return [Figure(bars_by_dataset(rows), OF_BARS)] if rows else []
