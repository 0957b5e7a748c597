"""A data set known by name: from CoOp's split file when it is there, else by the rule that made it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from promptlet.data.catalog import DRAWN_RULES, RULES, DatasetSpec
from promptlet.data.files import is_file, is_folder, is_there
from promptlet.data.items import Item, Split, check_class_names
from promptlet.data.known.cut import SEED, Parts, cut_pool, cut_trainval
from promptlet.data.known.imagenet import annotation_path
from promptlet.data.known.layout import Layout
from promptlet.data.known.layouts import read_layout
from promptlet.data.known.places import every_layout, folders_of, layouts_of
from promptlet.data.readers.coop_split import read_coop_split
from promptlet.errors import DataError

ASK = "see: promptlet datasets doctor"


def load_known(spec: DatasetSpec, root: str | Path) -> Split:
    """The data set below ``root``, or in it, as CoOp or torchvision lays it out.

    `Split.rule` says what fixed its parts: a split file in its folder, else the rule that made that file.
    Without the file they are of the same sizes, drawn here: the same on every machine, but not CoOp's images.
    Images that a split or list names are not looked for.
    Raises DataError naming what was looked for, where it comes from, and the doctor.
    """
    laid, folder = locate(spec, root)
    return read_known(laid, folder, root)


def read_known(spec: DatasetSpec, folder: Path, root: str | Path) -> Split:
    """The data set in ``folder``, laid out as ``spec`` says. Raises DataError that names ``root``."""
    has_split = has_split_file(spec, folder)
    missing = missing_paths(spec, folder, has_split)
    if missing:
        raise DataError(_absent(spec, folder, missing, root))
    if has_split:
        split = read_coop_split(folder / spec.split_file, folder / spec.image_folder)
        where = folder / spec.split_file
    else:
        split = split_of(spec, read_layout(spec, folder), folder)
        where = folder / spec.image_folder
    if len(split.class_names) != spec.class_count:
        raise DataError(
            f"{where}: has {len(split.class_names)} classes, {spec.name} has {spec.class_count}; download or "
            f"unpack it again; {_ask(spec, root)}"
        )
    return split


def locate(spec: DatasetSpec, root: str | Path) -> tuple[DatasetSpec, Path]:
    """The layout and the folder of a data set below ``root``, or in it; CoOp's where there is nothing.

    A folder that has all comes first, with a split file before without; then one that has something.
    """
    root = Path(root)
    found = [(laid, folder) for laid in layouts_of(spec) for folder in folders_of(laid, root)]
    if has_split_file(spec, root):
        found.insert(1, (spec, root))
    return min(found, key=lambda place: _rank(*place))


def _rank(spec: DatasetSpec, folder: Path) -> int:
    has_marks = not spec.marks or any(is_there(folder / mark) for mark in spec.marks)
    if not (is_folder(folder) and has_marks):
        return 4
    has_split = has_split_file(spec, folder)
    if not missing_paths(spec, folder, has_split):
        return 0 if has_split else 1
    return 2 if has_split or any(is_folder(folder / part) for part in spec.needed_folders) else 3


def has_split_file(spec: DatasetSpec, folder: Path) -> bool:
    """Whether CoOp's split file is there; False where CoOp has none."""
    return bool(spec.split_file) and is_file(folder / spec.split_file)


def spec_of_folder(folder: Path) -> DatasetSpec | None:
    """The data set whose folder this is, by its name and its image folders, in the layout found there."""
    parts = folder.resolve().parts
    return next(
        (
            spec
            for spec in every_layout()
            if (own := PurePosixPath(spec.folder).parts)
            and parts[-len(own) :] == own
            and any(is_folder(folder / part) for part in spec.needed_folders)
        ),
        None,
    )


def missing_paths(spec: DatasetSpec, folder: Path, has_split: bool) -> list[Path]:
    """What must be there and is not: image folders, and without a split file what the rule reads."""
    images = [folder / name for name in spec.needed_folders if not is_folder(folder / name)]
    if has_split:
        return images
    files = (annotation_path(folder, name) for name in spec.annotations)
    return images + [path for path in files if not is_file(path)]


def split_of(spec: DatasetSpec, layout: Layout, folder: Path) -> Split:
    """Train, val and test of a layout, by the data set's rule. Raises DataError."""
    names = check_class_names(layout.class_names, str(folder))
    items = {
        part: tuple(Item(path, label, names[label]) for path, label in rows)
        for part, rows in layout.rows.items()
    }
    parts = _parts(spec, items)
    return Split(spec.name, names, *parts, rule=_said(spec, layout, tuple(map(len, parts))))


def _parts(spec: DatasetSpec, items: dict[str, tuple[Item, ...]]) -> Parts:
    if spec.rule == "pool":
        return cut_pool(spec.name, items["pool"])
    if spec.rule == "trainval":
        return (*cut_trainval(spec.name, items["trainval"]), items["test"])
    return tuple(items.get(part, ()) for part in ("train", "val", "test"))


def _said(spec: DatasetSpec, layout: Layout, counts: tuple[int, ...]) -> str:
    text = RULES[spec.rule]
    if spec.rule in DRAWN_RULES:
        text += f", drawn here with seed {SEED} as there is no {spec.split_file}: not CoOp's own parts"
    if counts != spec.counts:
        text += f"; of {sum(counts):,} images, {sum(spec.counts):,} are known"
    return f"{text}; {layout.note}" if layout.note else text


def _absent(spec: DatasetSpec, folder: Path, missing: Iterable[Path], root: str | Path) -> str:
    if not is_folder(folder):
        held = [*filter(None, (spec.split_file, *spec.needed_folders))]
        held += [f"or {name}" for name in spec.also_called]
        others = ", ".join(
            f"{laid.folder}/" for laid in layouts_of(spec) if laid.folder not in ("", spec.folder)
        )
        what = f"folder {folder}, which holds {', '.join(held)}" + (
            f", nor torchvision's {others}" if others else ""
        )
    else:
        what = ", ".join(map(str, missing)) + "".join(f" (nor {name})" for name in spec.also_called)
        if spec.split_file and not has_split_file(spec, folder):
            what += f", nor {spec.split_file} in {folder}"
    add = f"{spec.to_add}; " if spec.to_add else ""
    return f"{spec.name}: there is no {what}; it comes from {spec.source_note}; {add}{_ask(spec, root)}"


def _ask(spec: DatasetSpec, root: str | Path) -> str:
    return f"{ASK} {spec.name} --root {root}"
