"""`promptlet bench report` and `promptlet bench list`: what is in a folder of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from promptlet.cli.shell import Json, emit_json, examples, say, table, warn
from promptlet.errors import OptionError

REPORT = examples("bench report runs", "bench report runs --json", "bench report runs --format csv > all.csv")
LIST = examples("bench list runs", "bench list runs --json")
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of results.", show_default=False)]


def report(
    folder: Folder,
    format: Annotated[str, typer.Option("--format", help="markdown or csv.")] = "markdown",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write to this file.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Show the means over seeds of what is in DIR, and the averages over data sets."""
    from promptlet.errors import check_option
    from promptlet.protocols import RunStore
    from promptlet.report import FORMATS, render, summarise

    check_option("format", format, FORMATS)
    summary = summarise(RunStore(folder))
    if json:
        emit_json(summary.to_json())
        return
    text = render(summary, format)
    if format == "csv":
        for problem in summary.problems:
            warn(f"note: {problem}")
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"--out {out} cannot be written ({error.strerror}); write elsewhere") from error
    say(f"wrote {out}")


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
    from promptlet.protocols.measures import MEASURES

    shown = {**MEASURES[protocol].shown, "seconds": "seconds"}
    rows = []
    for record in records:
        is_done = record["status"] == "done"
        numbers = [f"{record[name]:.2f}" if is_done else "" for name in shown]
        rows.append((record["key"], record["status"], *numbers))
    table(("run", "state", *shown.values()), rows, right=list(shown.values()))
