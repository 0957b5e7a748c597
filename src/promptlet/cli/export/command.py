"""`promptlet export`: a prompt as what answers elsewhere: class vectors, or a folder with graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlet.cli.export.checks import Asked, check_folder_alone, check_place
from promptlet.cli.export.words import (
    facts_of_check,
    facts_of_folder,
    facts_of_vectors,
    tell_check,
    tell_folder,
    tell_vectors,
)
from promptlet.cli.given.options import Classes, ClassesFile, OtherBackbone, allowed
from promptlet.cli.given.places import on_disk
from promptlet.cli.given.prompts import check_names, check_rule_of_names, names_of, read_prompt
from promptlet.cli.shell import Json, NewNames, bars, emit_json, examples

EXAMPLES = examples(
    "export pets.prompt --to onnx -o pets-onnx",
    "export pets.prompt --to onnx -o pets-int8 --precision int8 --images photos",
    "export pets.prompt --to vectors -o pets.npz",
    "export --check pets-onnx --json",
)


def command(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="A prompt file; of the hub: hf://OWNER/NAME[@REVISION].", show_default=False
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="vectors (a file), onnx, torch (a program of torch.export) or openvino (folders).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The folder to make; of vectors a file: NAME.npz, .json, .csv or .parquet.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="fp32; fp16 (weights of 16 bits, half the size); int8 (onnx, with --images); else fp32.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="50 images of yours or more, perhaps in a folder for each class: how many answers fp16 or "
            "int8 changes is measured on them.",
            show_default=False,
        ),
    ] = None,
    least_agreement: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            callback=allowed("least_agreement"),
            help="How many of these answers must stay the same, or nothing is exported; else 98.",
            show_default=False,
        ),
    ] = None,
    classes: Classes = None,
    classes_file: ClassesFile = None,
    new_names: NewNames = None,
    backbone: OtherBackbone = None,
    force: Annotated[bool, typer.Option("--force", help="In the place of an export that is there.")] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Instead of an export: is this exported folder whole, and does it answer here as it should?",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write what answers as a prompt does where this library is not: class vectors, or a folder of graphs."""
    names = names_of(classes, classes_file)
    asked = Asked(file, to, out, precision, images, least_agreement, names, new_names, backbone, force)
    if check is not None:
        check_folder_alone(check, asked)
        _check(check, json)
        return
    kind, file, target = asked.checked()
    check_place(kind, target)
    check_rule_of_names(new_names)
    given = on_disk(file)
    prompt = read_prompt(given, backbone)
    check_names(prompt, given, names)
    if kind == "vectors":
        from promptlet.export.vectors import export_vectors

        vectors = export_vectors(
            given, target, class_names=names, new_names=new_names, backbone=backbone, force=force
        )
        emit_json(facts_of_vectors(vectors, target)) if json else tell_vectors(vectors, target)
        return
    from promptlet.export.folder import export_folder
    from promptlet.export.gate import LEAST_AGREEMENT

    with bars(off=json) as shown:
        made = export_folder(
            given,
            target,
            to=kind,
            precision=precision or "fp32",
            images=images,
            least_agreement=LEAST_AGREEMENT if least_agreement is None else least_agreement,
            class_names=names,
            new_names=new_names,
            backbone=backbone,
            force=force,
            on_step=shown.line if not json else None,
        )
    emit_json(facts_of_folder(made)) if json else tell_folder(made)


def _check(folder: Path, json: bool) -> None:
    """Ask a folder, and exit with 1 where it does not answer as it should."""
    from promptlet.export.check import check_export

    checked = check_export(folder)
    emit_json(facts_of_check(checked)) if json else tell_check(checked)
    if not checked.is_sound:
        raise typer.Exit(1)
