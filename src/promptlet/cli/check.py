"""`promptlet check`: what is suspicious in a folder of labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptlet.cli.given.options import DEFAULT_BACKBONE, BackboneName, Data, Page, same_again
from promptlet.cli.given.skipping import tell_ignored
from promptlet.cli.outputs import check_file, check_page, title_of, write_page
from promptlet.cli.shell import (
    Device,
    Dtype,
    Json,
    NoCache,
    bars,
    emit_json,
    examples,
    open_cache,
    say,
    tell_notes,
    warn,
)
from promptlet.errors import OptionError, listed

if TYPE_CHECKING:
    from promptlet.own_images.checking.clean import Clean
    from promptlet.own_images.checking.result import Findings

EXAMPLES = examples(
    "check pets --out pets.html",
    "check pets --quick --json",
    "check pets --write-clean pets.csv",
)


def command(
    data: Data,
    backbone: BackboneName = DEFAULT_BACKBONE,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Without a backbone: files, pictures and names; labels are not judged."),
    ] = False,
    out: Page = None,
    write_clean: Annotated[
        Path | None,
        typer.Option(
            metavar="LIST.csv",
            help="Write a table that fit reads, without copies, photos in two classes and unreadable images.",
            show_default=False,
        ),
    ] = None,
    drop_doubtful: Annotated[
        bool,
        typer.Option(
            "--drop-doubtful", help="With --write-clean: also without images whose label is in doubt."
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where anything is found.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing LIST.csv.")] = False,
    device: Device = None,
    dtype: Dtype = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Find copies, leaks, doubtful labels and poor images. Nothing is changed on disk."""
    _check(out, write_clean, drop_doubtful, quick, force)
    from promptlet.data.load import read_own

    own = read_own(data, check_files=False)
    tell_ignored(data, own)
    from promptlet.own_images.checking.run import check, root_of

    loaded = None
    if not quick:
        from promptlet.backbones import load_backbone

        loaded = load_backbone(backbone, device, dtype)
    cache = open_cache(no_cache)
    with bars(off=json) as shown:
        found = check(own, root_of(data, own), loaded, cache=cache or False, on_progress=shown.show)
    tell_notes(cache)
    clean = None if write_clean is None else _write_clean(found, write_clean, drop_doubtful)
    if out is not None:
        from promptlet.own_images.checking.page import check_html

        write_page(out, check_html(found, title_of(data)))
    written = {} if out is None else {"out": str(out)}
    if clean is not None and write_clean is not None:
        written |= {"clean": str(write_clean)}
    if json:
        emit_json({"data": str(data), **found.facts(), **written})
    else:
        again = f"{same_again(data, None)} --quick" if quick else same_again(data, backbone)
        _tell(found, again, out, write_clean, clean)
    if strict and found.found:
        raise typer.Exit(1)


def _check(out: Path | None, write_clean: Path | None, drop_doubtful: bool, quick: bool, force: bool) -> None:
    """Before anything is read."""
    if out is not None:
        check_page(out)
    if drop_doubtful and (write_clean is None or quick):
        raise OptionError(
            "--drop-doubtful leaves images out of the table of --write-clean, and labels are doubted with a "
            "backbone alone; give --write-clean LIST.csv, and no --quick"
        )
    if write_clean is None:
        return
    if write_clean.suffix.lower() != ".csv":
        raise OptionError(
            f"--write-clean {write_clean}: the table is CSV; give a name that ends in .csv, which fit reads"
        )
    check_file(write_clean, "--write-clean")
    if write_clean.exists() and not force:
        raise OptionError(
            f"--write-clean {write_clean} exists already; give another name, or --force to write over it"
        )


def _write_clean(found: Findings, path: Path, drop_doubtful: bool) -> Clean:
    from promptlet.own_images.checking.clean import clean_table
    from promptlet.report.files import write_whole

    clean = clean_table(found, path.absolute().parent, drop_doubtful)
    for name in clean.unwritable:
        warn(f"note: not in {path}, since no table can hold its name: {name}")
    if clean.emptied:
        warn(f"note: no class of {path}, since all of its images were left out: {listed(clean.emptied)}")
    write_whole(path, clean.text.encode("utf-8"))
    return clean


def _tell(
    found: Findings, again: str, out: Path | None, write_clean: Path | None, clean: Clean | None
) -> None:
    """The result, for people. again: what was given."""
    from promptlet.own_images.checking import words

    say(words.headline(found))
    for line in words.lines(found):
        say(line)
    for note in found.notes:
        warn(f"note: {note}")
    if clean is not None and write_clean is not None:
        left = f"; left out: {words.left_out(clean.left_out)}" if clean.left_out else ""
        say(f"wrote {write_clean}: {clean.images:,} images{left}")
        say(f"next: promptlet fit {same_again(write_clean, found.backbone)} --out NAME.prompt")
    if out is not None:
        say(f"wrote {out}")
    elif found.found:
        say(f"with pictures: promptlet check {again} --out NAME.html")
