"""`promptlet evaluate`: a prompt file and labelled images in, how good it is out."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptlet.characters import cell
from promptlet.cli.given.options import Classes, ClassesFile, OtherBackbone, Page, Prompt
from promptlet.cli.given.places import on_disk
from promptlet.cli.given.prompts import check_names, check_rule_of_names, names_of, read_prompt
from promptlet.cli.given.skipping import tell_ignored
from promptlet.cli.outputs import check_page, write_page
from promptlet.cli.shell import (
    Device,
    Dtype,
    Json,
    NewNames,
    NoCache,
    bars,
    emit_json,
    examples,
    open_cache,
    say,
    table,
    tell_notes,
    warn,
)
from promptlet.cli.stopping import Interrupted
from promptlet.cli.streams import emit_document
from promptlet.errors import OptionError, check_option, with_path

if TYPE_CHECKING:
    from promptlet.own_images.evaluating import Evaluation

EXAMPLES = examples(
    "evaluate pets.prompt photos/test",
    "evaluate pets.prompt photos --out pets.html",
    "evaluate pets.prompt other-animals --names data --json",
)
PROMPT, DATA = "prompt", "data"
SHOWN_CLASSES, SHOWN_PAIRS, SHOWN_IMAGES, SHOWN_UNREAD = 20, 5, 5, 20


def command(
    file: Prompt,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Labelled images: a folder with a folder per class, a table (.csv), a feature file (.npz), "
            "Hugging Face data.",
            show_default=False,
        ),
    ],
    out: Page = None,
    part: Annotated[
        str | None,
        typer.Option(
            help="Of the data: train, val, test or all; else test, or all without.", show_default=False
        ),
    ] = None,
    classes: Classes = None,
    classes_file: ClassesFile = None,
    names: Annotated[
        str, typer.Option(help="Answer among the names of the prompt, or of the data: prompt or data.")
    ] = PROMPT,
    new_names: NewNames = None,
    backbone: OtherBackbone = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Images that cannot be read are no failure: they are told.")
    ] = False,
    device: Device = None,
    dtype: Dtype = None,
    no_cache: NoCache = False,
    csv_: Annotated[
        bool, typer.Option("--csv", help="Print path,label,predicted,probability,right.")
    ] = False,
    json: Json = False,
) -> None:
    """Judge a prompt file on labelled images: accuracy, classes that are confused, the worst images."""
    _check(json and csv_, out, names)
    asked = names_of(classes, classes_file)
    if names == DATA and asked is not None:
        raise OptionError("--classes and --names data are two answers to one question; give one of them")
    check_rule_of_names(new_names)
    file = on_disk(file)
    prompt = read_prompt(file, backbone)  # before the data: a wrong file is told at once
    if names == PROMPT:
        check_names(prompt, file, asked, ", or answer among those of the data: --names data")
    from promptlet.data.load import read_own
    from promptlet.own_images.evaluating.labelled import labelled

    found = read_own(data, check_files=not skip_bad)
    tell_ignored(data, found)
    given = labelled(found, part=part, where=str(data))
    from promptlet.classifier import PromptLearner
    from promptlet.own_images.evaluating import evaluate

    classifier = PromptLearner.load(file, backbone, device, dtype=dtype)

    cache = open_cache(no_cache)
    classifier.cache = cache or False
    classifier.choose_new_names(new_names)
    with bars(off=json) as shown:
        try:
            judged = evaluate(
                classifier,
                given,
                class_names=asked,
                names=names,
                on_progress=lambda done, total: shown.show("answering", done, total),
            )
        except KeyboardInterrupt:
            kept = "" if cache is None else "images encoded so far are cached; "
            raise Interrupted(f"{kept}run the same command again") from None
    if out is not None:
        from promptlet.own_images.evaluating.page import evaluation_html, of_classifier

        write_page(out, evaluation_html(judged, file.name, of_classifier(classifier)))
    if json:
        emit_json({"file": str(file), **judged.facts(), **({} if out is None else {"out": str(out)})})
    elif csv_:
        _print_rows(judged)
    else:
        _tell(judged)
    _warn(judged, "note" if skip_bad else "error")
    tell_notes(cache)
    if out is not None and not (json or csv_):
        say(f"wrote {out}")
    if judged.unreadable and not skip_bad:
        raise typer.Exit(1)


def _check(both: bool, out: Path | None, names: str) -> None:
    """Before anything is read."""
    if both:
        raise OptionError("give --json or --csv, not both")
    check_option("names", names, (PROMPT, DATA))
    if out is not None:
        check_page(out)


def _print_rows(judged: Evaluation) -> None:
    """Every image that was answered; ``right`` is empty for one of a class that was not asked."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "predicted", "probability", "right"])
    for one in (*judged.images, *judged.strangers):
        right = "" if one.right is None else "yes" if one.right else "no"
        writer.writerow([cell(one.path), cell(one.label), cell(one.said), f"{one.probability:.6f}", right])
    emit_document(text.getvalue())


def _tell(judged: Evaluation) -> None:
    """The result, for people."""
    from promptlet.own_images.evaluating import words

    say(f"{judged.data} ({_part_in_words(judged.part)}): {words.headline(judged)}")
    say(words.between(judged))
    for line in filter(None, [words.against_names(judged)]):
        say(line)
    say(f"macro-F1 {judged.macro_f1:.1f} %; {words.calibration(judged)}")
    worst = words.by_f1([one for one in judged.classes if one.count])
    more = f"; the {SHOWN_CLASSES} worst of {len(worst)} classes" if len(worst) > SHOWN_CLASSES else ""
    head = ("class", "recall", "precision", "F1", "images", "said")
    table(head, [words.class_row(one) for one in worst[:SHOWN_CLASSES]], head[1:])
    say(f"recall: of its images, how many were found; precision: of those said, how many are right{more}")
    for title, lines in (
        ("confused most often", words.pairs(judged.confused(SHOWN_PAIRS))),
        (
            "wrong and most confident",
            [
                f"{one.path}: said {one.said} {100 * one.probability:.1f} %, is {one.label}"
                for one in judged.worst(SHOWN_IMAGES)
            ],
        ),
    ):
        if lines:
            say(f"{title}:")
        for line in lines:
            say(f"  {line}")


def _part_in_words(part: str) -> str:
    return "all images" if part == "all" else f"its {part} images"


def _warn(judged: Evaluation, kind: str) -> None:
    """What the numbers leave out, on standard error."""
    from promptlet.own_images.evaluating import words

    for note in (*judged.notes, *words.left_out(judged)):
        warn(f"note: {note}")
    unread = list(judged.unreadable.items())
    for path, reason in unread[:SHOWN_UNREAD]:
        warn(f"{kind}: {with_path(path, reason)}")
    if len(unread) > SHOWN_UNREAD:
        warn(f"{kind}: and {len(unread) - SHOWN_UNREAD} more; --json lists them all")
