"""`promptlet bench study`: the results of a study as one table and one figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptlet.cli.bench.report import Folders
from promptlet.cli.outputs import check_file
from promptlet.cli.shell import Json, emit_json, examples, say
from promptlet.cli.streams import emit_document

if TYPE_CHECKING:
    from promptlet.protocols.plan.studies import Study
    from promptlet.report import Summary

STUDY = examples(
    "bench study rank studies",
    "bench study rank studies --out rank.html --figure rank.png",
    "bench study length studies more-studies --json",
)


def study(
    name: Annotated[
        str,
        typer.Argument(
            metavar="STUDY",
            help="rank, rank-grid, length, dropout, start or density.",
            show_default=False,
        ),
    ],
    folders: Folders,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write to this file, .html or Markdown.", show_default=False),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the first result (PNG).", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Show the results of a study in DIR: a line per setting, with the difference to its baseline.

    They are made by: promptlet bench run --study STUDY. What is missing is shown as such.
    """
    from promptlet.protocols import RunStore
    from promptlet.protocols.plan.studies import find_study
    from promptlet.report.files import write_whole
    from promptlet.report.formats.markdown.study import study_markdown
    from promptlet.report.statistics.studies import study_json, summarise_study

    chosen = find_study(name)
    for path, option in ((out, "--out"), (figure, "--figure")):
        if path is not None:
            check_file(path, option)
    summary = summarise_study([RunStore(folder) for folder in dict.fromkeys(folders)], chosen)
    if figure is not None:
        write_whole(figure, _drawn(summary, chosen, folders[0]))
    if out is not None:
        write_whole(out, _document(summary, chosen, out).encode())
    if json:
        emit_json(study_json(summary, chosen))
    elif out is None:
        emit_document(study_markdown(summary, chosen))
    else:
        say(f"wrote {out}")


def _drawn(summary: Summary, chosen: Study, folder: Path) -> bytes:
    from promptlet.errors import DataError
    from promptlet.report.figures.study import study_figure
    from promptlet.report.statistics.studies import study_results

    found = study_results(summary, chosen)
    if not found:
        raise DataError(
            f"{folder}: holds no finished run of the study {chosen.name!r}; make them with: promptlet bench "
            f"run --study {chosen.name} --out {folder}"
        )
    return study_figure(found[0])


def _document(summary: Summary, chosen: Study, out: Path) -> str:
    from promptlet.report.formats.html.study import study_html
    from promptlet.report.formats.markdown.study import study_markdown

    make = study_html if out.suffix.lower() in (".html", ".htm") else study_markdown
    return make(summary, chosen)
