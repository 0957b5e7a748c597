"""A data set known by name: from CoOp's split file when it is there, else by the rule that made it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from promptlet.data.catalog import DATASETS, DRAWN_RULES, RULES, DatasetSpec
from promptlet.data.coop_split import read_coop_split
from promptlet.data.cut import SEED, Parts, cut_pool, cut_trainval
from promptlet.data.imagenet import annotation_path
from promptlet.data.items import Item, Split, check_class_names
from promptlet.data.layout import Layout
from promptlet.data.layouts import read_layout
from promptlet.errors import DataError

ASK = "see: promptlet datasets doctor"


def load_known(spec: DatasetSpec, root: str | Path) -> Split:
    """The data set below ``root``, or in it; `Split.rule` says what fixed its parts.

    Without a split file the same rule gives parts of the same sizes, drawn here: the same on every machine,
    but not CoOp's images. Images that a split or list names are not looked for.
    Raises DataError naming what was looked for, where it comes from, and the doctor.
    """
    folder = dataset_folder(spec, root)
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


def dataset_folder(spec: DatasetSpec, root: str | Path) -> Path:
    """``root``/folder, or ``root`` itself when the data set lies directly in it."""
    root = Path(root)
    inside = root / spec.folder
    for folder in (inside, root):
        if has_split_file(spec, folder):
            return folder
    return root if not inside.is_dir() and root.resolve().name == spec.folder else inside


def has_split_file(spec: DatasetSpec, folder: Path) -> bool:
    """Whether CoOp's split file is there; False where CoOp has none."""
    return bool(spec.split_file) and (folder / spec.split_file).is_file()


def spec_of_folder(folder: Path) -> DatasetSpec | None:
    """The data set whose folder this is, by its name and its image folders."""
    name = folder.resolve().name
    return next(
        (
            spec
            for spec in DATASETS.values()
            if spec.folder == name and any((folder / part).is_dir() for part in spec.needed_folders)
        ),
        None,
    )


def missing_paths(spec: DatasetSpec, folder: Path, has_split: bool) -> list[Path]:
    """What must be there and is not: image folders, and without a split file what the rule reads."""
    images = [folder / name for name in spec.needed_folders if not (folder / name).is_dir()]
    if has_split:
        return images
    files = (annotation_path(folder, name) for name in spec.annotations)
    return images + [path for path in files if not path.is_file()]


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
    if not folder.is_dir():
        held = [*filter(None, (spec.split_file, *spec.needed_folders))]
        what = f"folder {folder}, which holds {', '.join(held)}"
    elif spec.split_file and not has_split_file(spec, folder):
        what = f"{', '.join(map(str, missing))}, nor {spec.split_file} in {folder}"
    else:
        what = ", ".join(map(str, missing))
    return f"{spec.name}: there is no {what}; it comes from {spec.source_note}; {_ask(spec, root)}"


def _ask(spec: DatasetSpec, root: str | Path) -> str:
    return f"{ASK} {spec.name} --root {root}"
