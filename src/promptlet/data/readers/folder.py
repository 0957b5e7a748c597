"""A folder of images per class, with or without train / val / test folders above."""

from __future__ import annotations

import os
from pathlib import Path

from promptlet.data.files import is_folder, is_there, list_folders
from promptlet.data.images.opening import IMAGE_SUFFIXES, list_images
from promptlet.data.items import ALL_TRAIN, SPLIT_NAMES, Split, build_split
from promptlet.errors import DataError, did_you_mean

WRAPPINGS = 3
"""Folders around a data set, at most."""
WRAPPERS = frozenset(("data", "dataset", "datasets", "images", "image", "imgs", "archive", *SPLIT_NAMES))
SHOWN = 3
EXPECTED = "expected one folder of images per class (root/cat/1.jpg, root/dog/2.jpg)"


def read_folder(root: str | Path) -> Split:
    """Classes are the folders of ``root``, sorted by name; all their images go to train.

    When ``root`` holds ``train`` and ``test`` (and perhaps ``val``) and these hold the class folders, they
    are the splits. Hidden files and files that are no images are passed over, and so are folders around it
    all, which archives packed twice have (``dataset/dataset/cat``, ``train/train/cat``, ``cat/cat``).
    Raises `DataError` saying which folder is at fault, what was expected and what to do.
    """
    root = Path(root)
    if not is_folder(root):
        what = "is a file, not a folder" if is_there(root) else "does not exist"
        raise DataError(f"{root}: {what}; {EXPECTED}")
    root = _unwrapped(root)
    names = {path.name for path in list_folders(root)}
    if _holds_splits(root, names):
        return _read_splits(root, [name for name in SPLIT_NAMES if name in names])
    return build_split(root.resolve().name, {"train": _class_images(root)}, str(root), ALL_TRAIN)


def _unwrapped(root: Path) -> Path:
    """The folder itself, or the one that packing has wrapped in it: ``dataset/dataset/cat/1.jpg``.

    A folder that holds one folder and no images is no data set, which has 2 classes or more. The one in it is
    taken where its name says that it is no class: that of the folder around it, or one of `WRAPPERS`.
    """
    for _ in range(WRAPPINGS):
        inside = list_folders(root)
        if len(inside) != 1 or list_images(root):
            break
        name = inside[0].name.casefold()
        is_class = name != root.resolve().name.casefold() and name not in WRAPPERS
        if is_class or list_images(inside[0]) or not list_folders(inside[0]):
            break
        [root] = inside
    return root


def _holds_splits(root: Path, names: set[str]) -> bool:
    """Whether the folders are train, test and perhaps val; classes that merely have such names are not."""
    splits = names & set(SPLIT_NAMES)
    if not splits or not all(list_folders(root / name) for name in splits):
        return False
    if names - set(SPLIT_NAMES):
        raise DataError(
            f"{root}: has the split folders {_listed(splits)} beside {_listed(names - splits)}; "
            "expected only train, val and test there; move the other folders away"
        )
    if not {"train", "test"} <= splits:
        raise DataError(
            f"{root}: has {_listed(splits)} but splits need both train and test (val may be left out); "
            f"add or rename a folder, or give {root / min(splits)} to use only that one"
        )
    return True


def _read_splits(root: Path, names: list[str]) -> Split:
    parts = {name: _class_images(_unwrapped(root / name)) for name in names}
    known = {class_name for _, class_name in parts["train"]}
    for name in names:
        for path, class_name in parts[name]:
            if class_name not in known:
                raise DataError(
                    f"{path.parent}: there is no class {class_name!r} in {root / 'train'}; expected the "
                    f"same class folders in every split: rename or remove "
                    f"it.{did_you_mean(class_name, known)}"
                )
    return build_split(root.resolve().name, parts, str(root), f"its folders {', '.join(names)}")


def _class_images(root: Path) -> list[tuple[Path, str]]:
    """(path, class name) of every image, by class folder and then by file name."""
    loose = list_images(root)
    if loose:
        raise DataError(
            f"{root}: has images directly in it, such as {loose[0].name}; {EXPECTED}: move them into one"
        )
    folders = list_folders(root)
    if not folders:
        raise DataError(f"{root}: has no class folders; {EXPECTED}")
    return [(image, folder.name) for folder in folders for image in _images_of(folder)]


def _images_of(folder: Path) -> list[Path]:
    images = list_images(folder) or _twin_images(folder)
    if images:
        return images
    deeper = list_folders(folder)
    inside = "folders but no images" if deeper else "no images"
    raise DataError(
        f"{folder}: this class folder holds {inside}; expected files ending in "
        f"{', '.join(sorted(IMAGE_SUFFIXES))} "
        f"directly in it: {_what_to_do(folder, deeper)}"
    )


def _twin_images(folder: Path) -> list[Path]:
    """Those of ``cat/cat``, where it is all that ``cat`` holds."""
    inside = list_folders(folder)
    is_twin = len(inside) == 1 and inside[0].name == folder.name
    return list_images(inside[0]) if is_twin else []


def _what_to_do(folder: Path, deeper: list[Path]) -> str:
    """With a class folder without images of its own."""
    beside = {path.name for path in list_folders(folder.parent)} - {folder.name}
    again = sorted(beside & {path.name for path in deeper})
    if len(again) > 1:
        return (
            f"it holds {', '.join(again[:SHOWN])} once more, as archives packed twice do; move {folder} away"
        )
    wrapped = _unwrapped(folder)
    if any(map(list_images, list_folders(wrapped))):
        return (
            f"if the folders in {wrapped} are the classes, give that folder; if {folder.parent} holds parts, "
            "call them train, val and test"
        )
    return "add images or remove the folder"


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def ignored_files(root: str | Path, split: Split) -> list[Path]:
    """What is below ``root``, and no folder, that its ``split`` does not hold: files of other kinds or in
    folders within a class, devices, links to nothing.
    """
    root = Path(root)
    taken = {item.path for item in split.every_item}
    found: list[Path] = []
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".")]
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if path not in taken)
