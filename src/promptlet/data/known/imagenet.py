"""ImageNet and its variants: folders named by WordNet number (wnid), with names in CoOp's classnames.txt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptlet.data.catalog import DatasetSpec
from promptlet.data.files import is_there
from promptlet.data.images.opening import list_images
from promptlet.data.known.annotations import AGAIN, class_folders, read_fields
from promptlet.data.known.layout import Layout, Rows, images_of, label_of_name
from promptlet.errors import DataError

CLASSNAMES = "classnames.txt"
TWINS = {"n04008634": "projectile", "n04355933": "sunglass"}
"""Classes that CLIP's list calls as another (missile, sunglasses), by ImageNet's own first word for them.

CoOp keeps the equal names. No prompt tells them apart and a prompt file refuses them, so here they differ.
"""


def annotation_path(folder: Path, name: str) -> Path:
    """Where an annotation file is; the class names of a variant may be those of imagenet/ beside it."""
    own, beside = folder / name, folder.parent / "imagenet" / name
    return beside if name == CLASSNAMES and not is_there(own) and is_there(beside) else own


def read_imagenet(spec: DatasetSpec, folder: Path) -> Layout:
    """Train and val folders; val is also test, as in CoOp."""
    train, val = (folder / name for name in spec.needed_folders)
    classes = class_folders(train)
    names, note = _names(folder, [path.name for path in classes])
    labels = {path.name: label for label, path in enumerate(classes)}
    rows: Rows = []
    for path in class_folders(val):
        label = label_of_name(labels, path.name, str(val), str(train))
        rows += ((image, label) for image in list_images(path))
    return Layout(names, {"train": images_of(classes), "val": rows, "test": rows}, note)


def read_imagenet_v2(spec: DatasetSpec, folder: Path) -> Layout:
    """Its folders are called 0 to 999, by the line of classnames.txt."""
    wnids = list(_classnames(folder))
    root = folder / spec.image_folder
    expected = [str(line) for line in range(len(wnids))]
    odd = {path.name for path in class_folders(root)} ^ set(expected)
    if odd:
        raise DataError(
            f"{root}: expected the folders 0 to {len(wnids) - 1}, one per line of classnames.txt; "
            f"{min(odd)!r} is missing or too much; {AGAIN}"
        )
    names, note = _names(folder, wnids)
    return Layout(names, {"test": images_of(root / name for name in expected)}, note)


def read_imagenet_variant(spec: DatasetSpec, folder: Path) -> Layout:
    """Test images only, of all classes or of 200."""
    classes = class_folders(folder / spec.image_folder)
    names, note = _names(folder, [path.name for path in classes])
    return Layout(names, {"test": images_of(classes)}, note)


def _classnames(folder: Path) -> dict[str, str]:
    """Class name by wnid, in the order of the file."""
    lines = read_fields(annotation_path(folder, CLASSNAMES), "n01440764 tench", 2)
    return {fields[0]: " ".join(fields[1:]) for _, fields in lines}


def _names(folder: Path, wnids: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The names of these classes, twins told apart, and which."""
    every = _classnames(folder)
    for wnid in wnids:
        if wnid not in every:
            where = annotation_path(folder, CLASSNAMES)
            raise DataError(f"{where}: has no line for the class folder {wnid!r}; {AGAIN}")
    names = [every[wnid] for wnid in wnids]
    changed = {wnid: name for wnid, name in TWINS.items() if wnid in wnids and names.count(every[wnid]) > 1}
    note = "; ".join(f"{wnid} {every[wnid]!r} is called {name!r}" for wnid, name in changed.items())
    return tuple(changed.get(wnid, every[wnid]) for wnid in wnids), note
