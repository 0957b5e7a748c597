"""`promptlet bench pack` and `promptlet bench unpack`: results as one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlet.cli.outputs import check_file, check_folder
from promptlet.cli.shell import Json, emit_json, examples, say

PACK = examples(
    "bench pack runs --out runs.jsonl.gz",
    "bench pack runs more-runs older.jsonl.gz -o all.jsonl.gz",
    "bench pack runs -o runs.jsonl.gz --allow-incomplete",
)
UNPACK = examples("bench unpack runs.jsonl.gz --out runs")


def pack(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="RUNS", help="Folders of results and packs.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="The new pack, NAME.jsonl.gz.", show_default=False),
    ],
    allow_incomplete: Annotated[
        bool,
        typer.Option(
            "--allow-incomplete", help="Also where runs failed or were not run; both are kept as such."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Put every record of RUNS, and what was asked for, into one file that never changes.

    Whatever reads a folder of results reads the pack as well, by itself or laid into a folder. RUNS stay as
    they are. Trained prompts (trained/) are not packed.
    """
    from promptlet.protocols.records.packing import pack as write

    check_file(out, make_folders=True)
    found = write(sources, out, allow_incomplete)
    counts = {"records": len(found.records), "failed": len(found.failed), "missing": len(found.missing)}
    size = out.stat().st_size
    if json:
        emit_json({"out": str(out), **counts, "bytes": size})
        return
    say(f"wrote {out}: {counts['records']} records, {size:,} bytes")
    if counts["failed"] or counts["missing"]:
        say(f"{counts['failed']} of them failed; {counts['missing']} more were asked for and not run")


def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A pack.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of results.", show_default=False)],
    json: Json = False,
) -> None:
    """Lay every record of a pack into a folder, as the files that it was made of. No file is replaced."""
    from promptlet.protocols.records.packing import unpack as write

    check_folder(out)
    count = write(file, out)
    if json:
        emit_json({"folder": str(out), "records": count})
    else:
        say(f"wrote {count} records to {out}")
