"""`promptlet predict`: a prompt (a file, or one on a server) and images in, the likeliest classes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlet.cli.given.options import Classes, ClassesFile, OtherBackbone, allowed
from promptlet.cli.given.prompts import names_of
from promptlet.cli.predict.asking import Asked, Question, ask_all, left_of
from promptlet.cli.predict.by.export import ByExport, check_only_models, is_export
from promptlet.cli.predict.by.file import ByFile
from promptlet.cli.predict.by.server import ByServer, check_only_here, check_only_there, read_token
from promptlet.cli.predict.checks import Form, check_out
from promptlet.cli.predict.giving import Count, giver_of
from promptlet.cli.predict.words import how_to_go_on, standard_input, tell_end, tell_wrong
from promptlet.cli.shell import Device, Dtype, Json, NewNames, NoCache, emit_json, examples, tell_notes
from promptlet.cli.stopping import Interrupted
from promptlet.errors import OptionError

EXAMPLES = examples(
    "predict pets.prompt cat.jpg holiday/",
    'predict pets.prompt cat.jpg --classes "lynx,ocelot,house cat" --json',
    "predict pets.prompt photos/ --reject",
    "predict pets.prompt photos/ --out results.csv --threshold 0.5",
    "predict pets.prompt @list.txt --out results.jsonl --resume",
    "predict exported/ photos/ --csv",
    "predict --server https://prompts.example pets cat.jpg --token-file token.txt",
)


def command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A prompt file, or a folder that promptlet export made; with --server, the name of a prompt "
            "there.",
            show_default=False,
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE",
            help="Image files, folders (all images below), patterns; @FILE for a list of paths, one a line, "
            "and - for such a list on standard input; addresses with --allow-urls.",
            show_default=False,
        ),
    ],
    classes: Classes = None,
    classes_file: ClassesFile = None,
    new_names: NewNames = None,
    backbone: OtherBackbone = None,
    top: Annotated[
        int | None,
        typer.Option(
            callback=allowed("top"),
            help="How many classes to show for each image; else 3, and 1 in tables.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            callback=allowed("threshold"),
            help="A probability below which the answer is none of the classes, as 0.5.",
            show_default=False,
        ),
    ] = None,
    reject: Annotated[
        bool,
        typer.Option(
            "--reject", help="Answer none of the classes where an image is not like those that taught them."
        ),
    ] = False,
    accept: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="The same, and how many of your own images are to pass: 95 unless given, 50 to 99.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write answers as they come: to a .csv, .jsonl or .parquet file.",
            show_default=False,
        ),
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="A column for each class, with its probability.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --out: what it has is not asked again.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing --out.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="End with 0 although images could not be answered.")
    ] = False,
    allow_urls: Annotated[
        bool,
        typer.Option("--allow-urls", help="Load pictures from http(s) addresses of the public internet."),
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Ask a server of promptlet serve; no model is loaded here. Its token is read from "
            "PROMPTLET_TOKEN, or from --token-file.",
            show_default=False,
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file with the token alone, for --server.", show_default=False),
    ] = None,
    allow_http: Annotated[
        bool,
        typer.Option("--allow-http", help="Send the token over plain http: in a network of your own alone."),
    ] = False,
    device: Device = None,
    dtype: Dtype = None,
    no_cache: NoCache = False,
    csv_: Annotated[bool, typer.Option("--csv", help="Print a table: path,class_name,probability.")] = False,
    json: Json = False,
) -> None:
    """Classify images with a prompt file. A bad image gets its own line of error, the others are answered."""
    form = Form(json, csv_, out, wide, top)
    if out is not None:
        check_out(out, force, resume)
    elif resume or force:
        raise OptionError("--resume and --force are about the file of --out; give it too")
    question = Question(
        names_of(classes, classes_file), new_names, form.likeliest, wide, threshold, reject, accept
    )
    check_only_here(server, backbone=backbone, device=device, dtype=dtype, no_cache=no_cache)
    if server is None:
        check_only_there(token_file=token_file, allow_http=allow_http)
        asked: Asked
        if is_export(file):
            check_only_models(file, backbone=backbone, new_names=new_names, dtype=dtype, no_cache=no_cache)
            asked = ByExport(file, question, device)
        else:
            asked = ByFile(file, question, backbone, device, dtype, no_cache)
        _answer(asked, images, form, allow_urls, resume, skip_bad)
        return
    from promptlet.client import Client

    with Client(server, read_token(token_file), allow_http=allow_http) as client:
        _answer(ByServer(client, str(file), question), images, form, allow_urls, resume, skip_bad)


def _answer(
    asked: Asked, images: list[str], form: Form, allow_urls: bool, resume: bool, skip_bad: bool
) -> None:
    """Find the images, have them answered, and give the answers in their form."""
    from promptlet.own_images.finding import Finder
    from promptlet.own_images.written.answers import AnswerFile
    from promptlet.own_images.written.tables import Shape
    from promptlet.web.loading import Loader

    found = Finder(standard_input, allow_urls).find(images)
    count = Count(errors=found.errors)
    tell_wrong(found)
    if not found.paths:
        if form.json:
            emit_json({"predictions": [], "errors": count.problems})
        raise typer.Exit(1)
    shape, written = Shape(asked.names, form.likeliest, form.wide), None
    if form.out is not None:
        made_with = {**asked.made_with(), "--top": shape.held, "--wide": form.wide}
        written = AnswerFile(form.out, shape, made_with)
    try:
        left = found.paths if written is None else left_of(written, found.paths, resume, count)
        batches = asked.answers(left, Loader() if allow_urls else None) if left else None
        giver = giver_of(form, shape, written)
        if batches is not None:
            ask_all(batches, giver, count, len(left), form)
            tell_notes(asked.cache)
        giver.end(count)
    except KeyboardInterrupt:
        raise Interrupted(how_to_go_on(written, count)) from None
    finally:
        if written is not None:
            written.close()
    tell_end(count, skip_bad)
    if count.errors and not (skip_bad and count.answered + count.before):
        raise typer.Exit(1)
