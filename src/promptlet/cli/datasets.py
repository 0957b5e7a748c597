"""`promptlet datasets`: the data sets known by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.cli.ending import Suggesting
from promptlet.cli.outputs import check_folder
from promptlet.cli.shell import Json, bars, emit_json, examples, say, table
from promptlet.errors import OptionError

if TYPE_CHECKING:
    from promptlet.data.catalog import DatasetSpec
    from promptlet.data.doctor import Checkup

app = typer.Typer(
    cls=Suggesting,
    help="The data sets known by name, and the embedded ones.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
EXAMPLES = examples("datasets list", "datasets list --root data")
DOCTOR = examples(
    "datasets doctor --root data",
    "datasets doctor caltech101 eurosat --root data --images",
    "datasets doctor ./my-photos",
    "datasets doctor 'hf:OWNER/NAME?label=fine_label' --images",
)
PARTS = ("train", "val", "test")
DRAW = examples("datasets draw mini-flowers --out flowers")


@app.callback(epilog=EXAMPLES)
def _root() -> None:
    pass


@app.command("list", epilog=EXAMPLES)
def list_(
    root: Annotated[
        Path | None,
        typer.Option(help="Also say which are there, in CoOp's or torchvision's layout.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """List the data sets known by name, where CoOp's layout puts them, and where they come from."""
    from promptlet.data import DATASETS

    rows: list[dict[str, Any]] = []
    for spec in DATASETS.values():
        row = {
            "name": spec.name,
            "title": spec.title,
            "classes": spec.class_count,
            "counts": dict(zip(PARTS, spec.counts, strict=True)),
            "template": spec.template,
            "split_file": f"{spec.folder}/{spec.split_file}" if spec.split_file else "",
            "images": f"{spec.folder}/{spec.image_folder}",
            "source": spec.page,
            "split_source": spec.split_url,
            "licence": spec.licence,
        }
        if root is not None:
            row["is_there"] = _is_there(root, spec)
        rows.append(row)
    rows += _mini_rows(root is not None)
    if json:
        emit_json({"datasets": rows})
        return
    shown = ("name", "classes", "template", "images", "source")
    head = list(shown)
    body = [[str(row[name]) for name in shown] for row in rows]
    if root is not None:
        head.insert(1, "there")
        for line, row in zip(body, rows, strict=True):
            line.insert(1, "yes" if row["is_there"] else "no")
    table(head, body)
    say(
        "For bench, eleven stands for the first eleven, imagenet-shifts for the four after them, mini for the"
    )
    say("next eleven, mini-shifts for four, mini-harder for six. mini-* are drawn when they are first used.")
    say("Also read: a folder of images per class, a table (.csv, .tsv), a split (.json), features (.npz),")
    say("Hugging Face data: hf:OWNER/NAME from the hub, hf:FOLDER as datasets saved it, .parquet, .arrow.")


@app.command(epilog=DRAW)
def draw(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="mini-flowers, ... (see: promptlet datasets list).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.", show_default=False)],
    json: Json = False,
) -> None:
    """Draw a data set of the embedded suite as a folder of images per class."""
    from promptlet.errors import check_option
    from promptlet.mini.datasets import EVERY_DATASET, draw_dataset

    dataset = EVERY_DATASET[check_option("NAME", name, EVERY_DATASET)]
    if out.exists():
        raise OptionError(f"--out {out} exists already; give the name of a folder to be made")
    check_folder(out)
    try:
        with bars(off=json) as shown:
            draw_dataset(name, out, lambda done, total: shown.show("drawing", done, total))
    except OSError as error:
        raise OptionError(f"--out {out} cannot be written ({error.strerror}); draw elsewhere") from error
    facts = {"name": name, "folder": str(out), "class_names": list(dataset.class_names)}
    if json:
        emit_json({**facts, "template": dataset.template})
        return
    say(f"{out}: {', '.join(dataset.parts)} of {len(dataset.class_names)} classes")
    if "train" in dataset.parts:
        say(f"next: promptlet fit {out} --backbone mini --out {name}.prompt")


@app.command(epilog=DOCTOR)
def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Known names, folders, tables, splits, or hf:...; else all known names."
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="Where known data sets lie, as CoOp or torchvision puts them.", show_default=False),
    ] = None,
    images: Annotated[bool, typer.Option("--images", help="Open every image, too.")] = False,
    json: Json = False,
) -> None:
    """Say whether data sets are all there: what is missing, where it comes from, what is wrong with it.

    Exits with 1 unless everything asked for is complete.
    """
    from promptlet.data.catalog import DATASETS
    from promptlet.data.doctor import examine

    if not names and root is None:
        raise OptionError("there is nothing to look at; give names or paths, or --root ROOT")
    with bars(off=json) as shown:
        found = [examine(name, root, images, shown.show) for name in names or DATASETS]
    if json:
        emit_json({"datasets": [_checkup_facts(checkup) for checkup in found]})
    elif names:
        for checkup in found:
            _say_checkup(checkup)
    else:
        _say_checkups(found, root)
    if any(checkup.state != "complete" for checkup in found):
        raise typer.Exit(1)


def _checkup_facts(checkup: Checkup) -> dict[str, Any]:
    spec = checkup.spec
    facts: dict[str, Any] = {
        "name": checkup.name,
        "state": checkup.state,
        "place": str(checkup.place),
        "rule": checkup.rule,
        "classes": checkup.class_count,
        "images": dict(zip(PARTS, checkup.counts, strict=False)),
        "findings": [{"kind": finding.kind, "text": finding.text} for finding in checkup.findings],
        "missing_images": [str(path) for path in checkup.missing_images],
        "unreadable": checkup.unreadable,
    }
    if spec is not None:
        known = {"classes": spec.class_count, "images": dict(zip(PARTS, spec.counts, strict=True))}
        facts["known"] = {**known, "page": spec.page, "get": spec.get, "licence": spec.licence}
        facts["known"]["split"] = spec.split_url
    return facts


def _say_checkup(checkup: Checkup) -> None:
    """A block of lines for one data set."""
    from promptlet.data.catalog import COOP_GUIDE

    say(f"{checkup.name}: {checkup.state}")
    lines = [("in", str(checkup.place))]
    if checkup.class_count is not None:
        counts = ", ".join(f"{n:,} {part}" for part, n in zip(PARTS, checkup.counts, strict=True))
        lines.append(("holds", f"{checkup.class_count:,} classes; images: {counts}"))
        lines += [("parts by", checkup.rule)] if checkup.rule else []
    lines += [(finding.kind, finding.text) for finding in checkup.findings]
    if checkup.spec is not None and checkup.state != "complete":
        lines += [("from", checkup.spec.page), ("to get it", checkup.spec.get)]
        if checkup.spec.split_file:
            lines.append(("split", f"{checkup.spec.split_file}: {checkup.spec.split_url}"))
        lines += [("layout", COOP_GUIDE), ("licence", checkup.spec.licence)]
    for what, text in lines:
        say(f"  {what:<9} {text}")


def _say_checkups(found: list[Checkup], root: Path | None) -> None:
    """A line for each."""
    rows = []
    for checkup in found:
        problems = [finding.text for finding in checkup.findings if finding.kind != "note"]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        counts = [f"{count:,}" for count in checkup.counts] or [""] * len(PARTS)
        classes = "" if checkup.class_count is None else f"{checkup.class_count:,}"
        rows.append([checkup.name, checkup.state, classes, *counts, "".join(problems[:1]) + more])
    table(["data set", "state", "classes", *PARTS, "missing or wrong"], rows, right=("classes", *PARTS))
    complete = sum(checkup.state == "complete" for checkup in found)
    say(f"{complete} of {len(found)} are complete; more of one: promptlet datasets doctor NAME --root {root}")


def _mini_rows(with_there: bool) -> list[dict[str, Any]]:
    """The mini world, which is always there."""
    from promptlet.mini.datasets import EVERY_DATASET

    return [
        {
            "name": dataset.name,
            "classes": len(dataset.class_names),
            "template": dataset.template,
            "split_file": "",
            "images": "drawn",
            "source": f"embedded, {dataset.about}",
            **({"is_there": True} if with_there else {}),
        }
        for dataset in EVERY_DATASET.values()
    ]


def _is_there(root: Path, spec: DatasetSpec) -> bool:
    from promptlet.data.known.load import has_split_file, locate, missing_paths

    laid, folder = locate(spec, root)
    return not missing_paths(laid, folder, has_split_file(laid, folder))
