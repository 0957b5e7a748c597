"""`promptlet predict`: a prompt file and images in, the likeliest classes out."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.characters import cell
from promptlet.cli.options import allowed
from promptlet.cli.shell import (
    Device,
    Json,
    NewNames,
    NoCache,
    bars,
    emit_json,
    examples,
    open_cache,
    say,
    tell_notes,
    warn,
)
from promptlet.cli.streams import emit_document
from promptlet.errors import BackboneError, DataError

if TYPE_CHECKING:
    from promptlet.classifier import PromptClassifier

EXAMPLES = examples(
    "predict pets.prompt cat.jpg holiday/",
    'predict pets.prompt cat.jpg --classes "lynx,ocelot,house cat" --json',
)
BATCH = 32


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A prompt file.", show_default=False)],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE", help="Image files, folders (all images below), patterns.", show_default=False
        ),
    ],
    classes: Annotated[
        str | None,
        typer.Option(help='Answer among these names, seen or not: "a,b,c".', show_default=False),
    ] = None,
    new_names: NewNames = None,
    backbone: Annotated[
        str | None, typer.Option(help="Instead of the one the file names.", show_default=False)
    ] = None,
    top: Annotated[
        int, typer.Option(callback=allowed("top"), help="How many classes to show for each image.")
    ] = 3,
    device: Device = None,
    no_cache: NoCache = False,
    csv_: Annotated[bool, typer.Option("--csv", help="Print path,rank,class_name,probability.")] = False,
    json: Json = False,
) -> None:
    """Classify images with a prompt file. A bad image gets its own line of error, the others are answered."""
    if json and csv_:
        raise typer.BadParameter("give --json or --csv, not both")
    from promptlet.own_images.answering import answer
    from promptlet.own_images.finding import find_images

    classifier = _load(file, backbone, device)
    cache = open_cache(no_cache)
    classifier.set_params(cache=cache or False)
    names = _names(classifier, classes)
    classifier.choose_new_names(new_names)
    _tell_new(file, classifier, names, new_names)
    for note in classifier.backbone_.notes((), names) if classifier.method_.reads_names else ():
        warn(f"note: {note}")
    paths, errors = find_images(images)
    answers: dict[str, list[tuple[str, float]]] = {}
    with bars(off=json) as shown:
        for start in range(0, len(paths), BATCH):
            found, bad = answer(classifier, paths[start : start + BATCH], names, top)
            answers |= found
            errors |= bad
            if len(paths) > BATCH:
                shown.show("predicting", min(start + BATCH, len(paths)), len(paths))
    _print(answers, errors, "json" if json else "csv" if csv_ else "text")
    for path, error in errors.items():
        warn(f"error: {error}" if path in error else f"error: {path}: {error}")
    tell_notes(cache)
    if errors:
        raise typer.Exit(1)


def _load(file: Path, backbone: str | None, device: str | None) -> PromptClassifier:
    from promptlet.promptfile import check_names_known_backbone, load_prompt_file

    prompt = load_prompt_file(file)  # before torch: a wrong file is told at once
    if not prompt.is_protected:
        warn(
            f"note: {file} has no digest (format {prompt.format_version}): damage may go unnoticed; "
            "PromptClassifier.load(...).save(...) writes it anew, with one"
        )
    name = prompt.backbone
    if backbone is None and not name:
        raise BackboneError(
            f"{file} was saved without the name of its backbone; give it with --backbone "
            f"(fingerprint {prompt.fingerprint})"
        )
    if backbone is None and _is_folder(name) and not Path(name).expanduser().is_dir():
        raise BackboneError(
            f"{file} was made with the backbone in the folder {name!r}, which is not here; give the same "
            f"model with --backbone FOLDER (fingerprint {prompt.fingerprint})"
        )
    if backbone is None:
        check_names_known_backbone(prompt, file)
    from promptlet.classifier import PromptClassifier

    return PromptClassifier.load(file, backbone, device)


def _is_folder(name: str) -> bool:
    """Whether the name of a backbone is that of a folder."""
    if name.startswith(("features:", "open_clip:")):  # loading them says what is missing
        return False
    return name.startswith((".", "/", "~", os.sep)) or name.count("/") > 1 or Path(name).is_absolute()


def _names(classifier: PromptClassifier, classes: str | None) -> tuple[str, ...]:
    """The names to answer among. Raises DataError before any image is read."""
    from promptlet.data import check_class_names

    if classes is not None:
        return check_class_names([name for name in map(str.strip, classes.split(",")) if name], "--classes")
    if not classifier.class_names_:
        raise DataError('this prompt was saved without class names; give --classes "a,b,c"')
    return tuple(classifier.class_names_)


def _tell_new(
    file: Path, classifier: PromptClassifier, names: tuple[str, ...], new_names: str | None
) -> None:
    """A prompt file from before there were rules for new names answers as it did; that is told."""
    from promptlet.methods.new_names import LEARNED, ZERO_SHOT

    method = classifier.method_
    if new_names is not None or method.new_names != LEARNED:
        return
    new = classifier.untaught(names)
    if new:
        shown = ", ".join(new[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else "")
        warn(
            f"note: {file} says no rule for names that were not taught, which are answered as it learned: "
            f"{shown}. --new-names {ZERO_SHOT} often answers them better"
        )


def _print(answers: dict[str, list[tuple[str, float]]], errors: dict[str, str], form: str) -> None:
    if form == "json":
        predictions: list[dict[str, Any]] = [
            {"path": path, "top": [{"class_name": name, "probability": p} for name, p in best]}
            for path, best in answers.items()
        ]
        problems = [{"path": path, "error": error} for path, error in errors.items()]
        emit_json({"predictions": predictions, "errors": problems})
    elif form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "rank", "class_name", "probability"])
        for path, best in answers.items():
            writer.writerows([cell(path), i + 1, cell(name), f"{p:.6f}"] for i, (name, p) in enumerate(best))
        emit_document(text.getvalue())
    else:
        for path, best in answers.items():
            say(f"{path}: {', '.join(f'{name} {100 * p:.1f} %' for name, p in best)}")
