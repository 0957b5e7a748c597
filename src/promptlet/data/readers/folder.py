"""A folder of images per class, with or without folders of parts (train, val, test) above."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from promptlet.data.files import files_below, is_folder, is_there, list_folders
from promptlet.data.images.formats import heic_hint, image_suffixes
from promptlet.data.images.opening import list_images
from promptlet.data.items import ALL_TRAIN, SPLIT_NAMES, Split, build_split, clean_class_name
from promptlet.data.readers.nesting import meant_instead, twin_images, unwrapped, what_to_do
from promptlet.data.words import part_of
from promptlet.errors import DataError, did_you_mean

SHOWN = 5
EXPECTED = "expected one folder of images per class (root/cat/1.jpg, root/dog/2.jpg)"

Found = list[tuple[Path, str]]
"""(path, class name) of images."""


def read_folder(root: str | Path) -> Split:
    """Classes are the folders of ``root``, sorted by name; all their images go to train.

    Where ``root`` holds ``train``, and perhaps ``val`` and ``test`` (by whatever of `words.PARTS`), and these
    hold the class folders, they are the parts; one that holds no class folders is passed over. So are hidden
    files, files that are no images, and folders around it all, which archives packed twice have
    (``dataset/dataset/cat``, ``train/train/cat``, ``cat/cat``).
    Raises `DataError` saying which folder is at fault, what was expected and what to do.
    """
    root = Path(root)
    if not is_folder(root):
        what = "is a file, not a folder" if is_there(root) else "does not exist"
        raise DataError(f"{root}: {what}; {EXPECTED}.{_like(root)}")
    root = unwrapped(root)
    parts = _parts_in(root)
    if parts:
        return _read_parts(root, parts)
    return build_split(root.resolve().name, {"train": _class_images(root)}, str(root), ALL_TRAIN)


def _like(root: Path) -> str:
    """The name of a folder beside one that is not there."""
    try:
        return did_you_mean(root.name, [path.name for path in list_folders(root.parent)])
    except DataError:
        return ""


def _parts_in(root: Path) -> dict[str, Path]:
    """The folder of each part; none where these are classes, which may have any name."""
    folders = list_folders(root)
    named = {folder: part for folder in folders if (part := part_of(folder.name))}
    parts: dict[str, Path] = {}
    for folder, part in named.items():
        if not _has_classes(folder, part):
            continue
        if part in parts:
            raise DataError(
                f"{root}: {parts[part].name!r} and {folder.name!r} both mean {part}; merge them, or move one "
                "away"
            )
        parts[part] = folder
    if not parts:
        return {}
    _check_alone(root, parts, [folder for folder in folders if folder not in named])
    if "train" not in parts:
        [*shown] = sorted(folder.name for folder in parts.values())
        if any(part == "train" for part in named.values()):
            return {"train": next(folder for folder, part in named.items() if part == "train"), **parts}
        raise DataError(
            f"{root}: has {', '.join(shown)} but no train, which is learned from; add or rename a folder, or "
            f"give {root / shown[0]} to use only that one"
        )
    return parts


def _has_classes(folder: Path, part: str) -> bool:
    """Whether a folder holds class folders; ``test/test/1.jpg`` are images of no class."""
    inside = list_folders(folder)
    is_twin = len(inside) == 1 and part_of(inside[0].name) == part
    return bool(inside) and not (is_twin and list_images(inside[0]))


def _check_alone(root: Path, parts: Mapping[str, Path], others: Iterable[Path]) -> None:
    """Raise DataError for folders of images beside parts."""
    lost = [folder.name for folder in others if _holds_images(folder)]
    if lost:
        shown = ", ".join(sorted(folder.name for folder in parts.values()))
        raise DataError(
            f"{root}: has the split folders {shown} beside {', '.join(lost)}; expected only train, val and "
            "test there; move the other folders away"
        )


def _holds_images(folder: Path) -> bool:
    return bool(list_images(folder)) or any(map(list_images, list_folders(folder)))


def _read_parts(root: Path, folders: Mapping[str, Path]) -> Split:
    """Class folders of the same name but for ``_``, spaces, case and accents' form are one class."""
    in_order = {part: folders[part] for part in SPLIT_NAMES if part in folders}
    found = {part: _class_images(unwrapped(folder), part == "train") for part, folder in in_order.items()}
    known = {_key(name): name for _, name in found["train"]}
    for part, images in found.items():
        unknown = {name: path.parent for path, name in images if _key(name) not in known}
        if unknown:
            raise DataError(_not_taught(unknown, folders["train"], list(known.values())))
        if part != "train":
            found[part] = [(path, known[_key(name)]) for path, name in images]
    names = ", ".join(folder.name for folder in in_order.values())
    return build_split(root.resolve().name, found, str(root), f"its folders {names}")


def _key(name: str) -> str:
    return clean_class_name(name).casefold()


def _not_taught(unknown: Mapping[str, Path], train: Path, known: list[str]) -> str:
    first, place = next(iter(unknown.items()))
    rest = [repr(name) for name in unknown][1:]
    more = f", nor {', '.join(rest[:SHOWN])}{' ...' if len(rest) > SHOWN else ''}" if rest else ""
    return (
        f"{place}: there is no class {first!r}{more} in {train}; expected the same class folders in every "
        f"part: rename or remove {'these' if rest else 'it'}.{did_you_mean(first, known)}"
    )


def _class_images(root: Path, is_train: bool = True) -> Found:
    """The images, by class folder and then by file name. Empty class folders are passed over where nothing is
    learned from them."""
    loose = list_images(root)
    if loose:
        raise DataError(
            f"{root}: has images directly in it, such as {loose[0].name}; {EXPECTED}: move them into one, or "
            f"away.{meant_instead(root)}"
        )
    folders = list_folders(root)
    if not folders:
        raise DataError(f"{root}: has no class folders; {EXPECTED}{heic_hint([root])}")
    found = {folder: list_images(folder) or twin_images(folder) for folder in folders}
    empty = [folder for folder, images in found.items() if not images]
    if empty and not is_train:
        empty = [folder for folder in empty if next(files_below(folder), None) is not None]
    if empty:
        raise DataError(_no_images(empty))
    return [(image, folder.name) for folder, images in found.items() for image in images]


def _no_images(empty: list[Path]) -> str:
    """What is wrong with class folders that have no images directly in them."""
    first = empty[0]
    kind = "folders but no images" if list_folders(first) else "no images"
    rest = [folder.name for folder in empty[1:]]
    also = ""
    if rest:
        more = f" and {len(rest) - SHOWN} more" if len(rest) > SHOWN else ""
        also = f", nor do {', '.join(rest[:SHOWN])}{more} hold any"
    return (
        f"{first}: this class folder holds {kind}{also}; expected files ending in "
        f"{', '.join(sorted(image_suffixes()))} directly in it: {what_to_do(first)}{heic_hint(empty)}"
    )


def ignored_files(root: str | Path, split: Split) -> list[Path]:
    """What is below ``root``, and no folder, that its ``split`` does not hold: files of other kinds or in
    folders within a class, devices, links to nothing. What systems leave behind is not told.
    """
    taken = {item.path for item in split.every_item}
    return sorted(path for path in files_below(Path(root)) if path not in taken)
