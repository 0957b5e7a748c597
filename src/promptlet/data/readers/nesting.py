"""Folders around a data set: looked through where packing has made them, else pointed at in a message."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path

from promptlet.data.files import list_folders
from promptlet.data.images.opening import list_images
from promptlet.data.words import part_of
from promptlet.errors import DataError

WRAPPINGS = 3
"""Folders around a data set, at most."""
WRAPPERS = frozenset(("data", "dataset", "datasets", "images", "image", "imgs", "archive"))
SHOWN = 3
LOOKED_AT = 100
"""As many folders are looked into for a hint."""


def unwrapped(root: Path) -> Path:
    """The folder itself, or the one that packing has wrapped in it: ``dataset/dataset/cat/1.jpg``.

    A folder that holds one folder and no images is no data set, which has 2 classes or more. The one in it is
    taken where its name says that it is no class: that of the folder around it, one of `WRAPPERS`, or a part.
    """
    for _ in range(WRAPPINGS):
        inside = list_folders(root)
        if len(inside) != 1 or list_images(root):
            break
        name = inside[0].name.casefold()
        says_so = name == root.resolve().name.casefold() or name in WRAPPERS or part_of(name) is not None
        if not says_so or list_images(inside[0]) or not list_folders(inside[0]):
            break
        [root] = inside
    return root


def twin_images(folder: Path) -> list[Path]:
    """Those of ``cat/cat``, where it is all that ``cat`` holds."""
    inside = list_folders(folder)
    is_twin = len(inside) == 1 and inside[0].name == folder.name
    return list_images(inside[0]) if is_twin else []


def what_to_do(folder: Path) -> str:
    """With a class folder without images of its own."""
    inside = {path.name for path in list_folders(folder)}
    beside = [path for path in list_folders(folder.parent) if path.name != folder.name]
    again = sorted({path.name for path in beside} & inside)
    if len(again) > 1:
        return (
            f"it holds {', '.join(again[:SHOWN])} once more, as archives packed twice do; move {folder} away"
        )
    meant = _below(folder) or _below(folder, least=1)
    if meant is None:
        return "add images or remove the folder"
    parts = any(_below(path, least=1) for path in beside[:SHOWN] if not list_images(path))
    renamed = f"; if {folder.parent} holds parts, call them train, val and test" if parts else ""
    return f"did you mean {meant}? If the folders in it are the classes, give that folder{renamed}"


def meant_instead(folder: Path) -> str:
    """For one that is a class, the folder of all classes: ``" Did you mean pets?"``, or nothing."""
    around = folder.parent if folder.parent.name else folder.resolve().parent
    with suppress(DataError):
        return f" Did you mean {around}, which holds it and others?" if _holds_classes(around) else ""
    return ""


def _below(folder: Path, least: int = 2) -> Path | None:
    """The nearest folder, this one or below it, that holds so many classes."""
    level, seen = [folder], 0
    for _ in range(WRAPPINGS + 1):
        for place in level:
            seen += 1
            if seen > LOOKED_AT:
                return None
            with suppress(DataError):
                if _holds_classes(place, least):
                    return place
        level = [path for place in level for path in _folders(place)]
    return None


def _folders(place: Path) -> list[Path]:
    with suppress(DataError):
        return list_folders(place)
    return []


def _holds_classes(folder: Path, least: int = 2) -> bool:
    """Whether so many folders in it hold images."""
    with_images = (path for path in list_folders(folder) if list_images(path))
    return len(list(islice(with_images, least))) == least
