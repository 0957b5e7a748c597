"""`promptlet datasets`: the data sets known by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from promptlet.cli.shell import Json, bars, emit_json, examples, say, table
from promptlet.errors import OptionError

app = typer.Typer(
    help="The data sets known by name, and the embedded ones.", no_args_is_help=True, rich_markup_mode=None
)
EXAMPLES = examples("datasets list", "datasets list --root data")
DRAW = examples("datasets draw mini-flowers --out flowers")


@app.callback(epilog=EXAMPLES)
def _root() -> None:
    pass


@app.command("list", epilog=EXAMPLES)
def list_(
    root: Annotated[
        Path | None, typer.Option(help="Also say which are there, in CoOp's layout.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the data sets known by name, where CoOp's layout puts them, and where they come from."""
    from promptlet.data import DATASETS

    rows: list[dict[str, Any]] = []
    for spec in DATASETS.values():
        row = {
            "name": spec.name,
            "classes": spec.class_count,
            "template": spec.template,
            "split_file": f"{spec.folder}/{spec.split_file}",
            "images": f"{spec.folder}/{spec.image_folder}",
            "source": spec.source_note,
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
    say("mini stands for the eleven mini-* data sets that have a train part; they are drawn when first used.")
    say("Also read: a folder of images per class, a table (.csv, .tsv), a split (.json), features (.npz).")


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
            "source": f"embedded, in the place of {dataset.mirrors}",
            **({"is_there": True} if with_there else {}),
        }
        for dataset in EVERY_DATASET.values()
    ]


def _is_there(root: Path, spec: Any) -> bool:
    folders = (root / spec.folder, root)
    return any((f / spec.split_file).is_file() and (f / spec.image_folder).is_dir() for f in folders)
