"""`promptlet search`: a folder of photos, by words, by classes of prompts, by images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlet.cli.given.options import BACKBONES, DEFAULT_BACKBONE, allowed
from promptlet.cli.search.asking import Given, backbone_of, check_told
from promptlet.cli.search.checks import Form
from promptlet.cli.search.exporting import store_of
from promptlet.cli.search.words import how_to_go_on, tell_changes, tell_found, write_down
from promptlet.cli.shell import Device, Dtype, Json, NoCache, bars, examples, open_cache, tell_notes
from promptlet.cli.stopping import Interrupted

EXAMPLES = examples(
    'search photos --query "a red bicycle"',
    'search photos --query "a vegetable" --not "a carrot" --page found.html',
    "search photos --prompt pets.prompt:beagle --top 50 --csv",
    "search photos --prompt pets.prompt:beagle --precision 0.9 --taught pets",
    "search photos --like holiday.jpg --json",
    "search photos",
    "search photos --export faiss --out photos.faiss",
)
MANY = "; may be given again"


def command(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Photos, with all folders below.", show_default=False),
    ],
    query: Annotated[
        list[str] | None,
        typer.Option("--query", "-q", metavar="TEXT", help=f"What images show{MANY}.", show_default=False),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE:CLASS", help=f"A class of a prompt file{MANY}.", show_default=False),
    ] = None,
    like: Annotated[
        list[Path] | None,
        typer.Option(metavar="IMAGE", help=f"An image that they are like{MANY}.", show_default=False),
    ] = None,
    not_: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="TEXT", help=f"What they do not show{MANY}.", show_default=False),
    ] = None,
    not_like: Annotated[
        list[Path] | None,
        typer.Option(metavar="IMAGE", help=f"An image that they are not like{MANY}.", show_default=False),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(callback=allowed("top"), help="How many images; else 20.", show_default=False),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            callback=allowed("precision", "share_right"),
            help="Instead of --top, all that there are with this share of them right, such as 0.9: of one "
            "--prompt, with --taught.",
            show_default=False,
        ),
    ] = None,
    taught: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="The images that taught the prompt, which tell it, and some hundred photos of FOLDER that "
            "show none of its classes, as a class of their own.",
            show_default=False,
        ),
    ] = None,
    nothing_else: Annotated[
        bool,
        typer.Option("--nothing-else", help="FOLDER shows the classes of the prompt alone (--precision)."),
    ] = False,
    template: Annotated[
        str | None,
        typer.Option(
            help='What TEXT is put into; else "a photo of a {}.". "{}" takes it as it is.', show_default=False
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="Write a page with small pictures: NAME.html.", show_default=False),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where the index is kept; else in the cache folder.", show_default=False
        ),
    ] = None,
    no_update: Annotated[
        bool, typer.Option("--no-update", help="Ask the index as it is, without a look at the folder.")
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(
            help=f"{BACKBONES}; else that of the prompt, else {DEFAULT_BACKBONE}.", show_default=False
        ),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    no_cache: NoCache = False,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Instead, write the vectors for another program: faiss, qdrant, pgvector or npz.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            help="Of --export: a file, for qdrant a folder; for pgvector also postgresql://...",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Of the table or collection; else photos.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over what --out names.")] = False,
    csv_: Annotated[bool, typer.Option("--csv", help="Print a table: rank,score,path.")] = False,
    json: Json = False,
) -> None:
    """Search a folder of photos. It is indexed once, which takes a while; what has changed since is followed.
    Without anything to look for it is indexed alone."""
    form = Form(json, csv_, page)
    can_be_empty = export is not None or not no_update
    given = Given(query or [], prompt or [], like or [], not_ or [], not_like or [], template, can_be_empty)
    asked = given.query()
    form.check(asked, index, top)
    check_told(asked, precision, taught, nothing_else)
    store = store_of(export, out, name, force, is_asked=asked is not None)
    chosen = backbone_of(given.classes, backbone)
    from promptlet.backbones import load_backbone
    from promptlet.search.index import Index

    cache = open_cache(no_cache)
    own = Index(folder, load_backbone(chosen, device, dtype), index, cache or False)
    changes, found = None, None
    with bars(off=json) as shown:
        try:
            own.read() if no_update else own.check()
            if asked is not None:
                own.prepare(
                    asked,
                    precision=precision,
                    taught=taught,
                    nothing_else=nothing_else,
                    on_progress=lambda done, total: shown.show("trainings", done, total),
                )
            if not no_update:
                changes = own.update(lambda done, total: shown.show("encoding", done, total))
            if asked is not None:
                found = own.search(asked, top, precision=precision, taught=taught, nothing_else=nothing_else)
        except KeyboardInterrupt:
            raise Interrupted(how_to_go_on(own)) from None
    tell_notes(cache)
    if changes is not None:
        tell_changes(own, changes)
    written = write_down(found, folder, form) | ({} if store is None else {"out": store.write(own.stored)})
    tell_found(own, changes, found, form, written)
