"""`promptlet bench report` and `promptlet bench list`: what is in a folder of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from promptlet.cli.outputs import check_file
from promptlet.cli.shell import Json, emit_json, examples, say, table, warn
from promptlet.cli.streams import emit_document

REPORT = examples(
    "bench report runs",
    "bench report runs --out report.html",
    "bench report runs more-runs --against coop --published",
    "bench report runs.jsonl.gz",
    "bench report runs --rows --out runs.parquet",
    "bench report runs --out tables.tex",
    "bench report runs --json",
)
LIST = examples("bench list runs", "bench list runs --json")
Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder of results, or a pack.", show_default=False)
]
Folders = Annotated[
    list[Path],
    typer.Argument(metavar="DIR", help="Folders of results and packs, read as one.", show_default=False),
]


def report(
    folders: Folders,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="markdown, html, csv, parquet or latex; else by the suffix of --out, else markdown.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write to this file.", show_default=False)
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="The method that differences are taken to; else zero_shot, else the one that trains the "
            "fewest numbers.",
            show_default=False,
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="With published numbers (html always has them).")
    ] = False,
    rows: Annotated[
        bool, typer.Option("--rows", help="Every single run instead of the means (csv, parquet).")
    ] = False,
    json: Json = False,
) -> None:
    """Show the means over seeds of what is in DIR, the averages over data sets, and paired differences.

    What is missing or failed is shown as such. html is one page with figures and all settings, from which
    every number can be traced to its runs.
    """
    from promptlet.protocols import RunStore
    from promptlet.report import check_holds_runs, format_of, render, summarise, write_report
    from promptlet.report.formats.documents import ONLY_MEANS

    chosen = format_of(format, out, rows, against=None if json else against, published=published)
    if out is not None:
        check_file(out)
    stores = [RunStore(folder) for folder in dict.fromkeys(folders)]
    summary = summarise(stores)
    if not summary.rows and not summary.incomplete:
        check_holds_runs(stores)
    has_no_notes = chosen in ONLY_MEANS
    choices: dict[str, Any] = {"published": published, "rows": rows}
    choices["against"] = None if has_no_notes else against  # with --json it is printed beside such a file
    choices["title"] = f"Promptlet report: {', '.join(store.name for store in stores)}"
    if out is not None:
        write_report(out, summary, chosen, **choices)
    if json:
        emit_json(_document(summary, against) | ({} if out is None else {"out": str(out)}))
        return
    if has_no_notes:
        for problem in summary.problems:
            warn(f"note: {problem}")
    if out is None:
        emit_document(render(summary, chosen, **choices))
    else:
        say(f"wrote {out}")


def _document(summary: Any, against: str | None) -> dict[str, Any]:
    """The summary with its paired differences."""
    from promptlet.report import paired_differences

    found = paired_differences(summary, against)
    rows = [row.to_json() for row in found.rows]
    return {**summary.to_json(), "differences": rows, "differences_missing": list(found.notes)}


def list_(folder: Folder, json: Json = False) -> None:
    """List every single run in DIR, with failures and their reasons."""
    from promptlet.protocols import RunStore

    records, problems = RunStore(folder).read_all()
    if json:
        emit_json({"runs": records, "problems": problems})
        return
    for protocol in dict.fromkeys(record["protocol"] for record in records):
        _list_of(protocol, [record for record in records if record["protocol"] == protocol])
    for record in records:
        if record["status"] == "failed":
            say(f"{record['key']}: {record.get('reason')}")
    for problem in problems:
        warn(f"note: {problem}")


def _list_of(protocol: str, records: list[dict[str, Any]]) -> None:
    """A table of the runs of one protocol."""
    from promptlet.protocols.records.measures import MEASURES

    shown = {**MEASURES[protocol].shown, "seconds": "seconds"}
    rows = []
    for record in records:
        is_done = record["status"] == "done"
        numbers = [f"{record[name]:.2f}" if is_done else "" for name in shown]
        rows.append((record["key"], record["status"], *numbers))
    table(("run", "state", *shown.values()), rows, right=list(shown.values()))
