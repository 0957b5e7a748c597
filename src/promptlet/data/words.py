"""The words people have for the parts of a data set and for the columns of a table of images: one rule for
folders, tables, DataFrames and Hugging Face data, whatever the case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptlet.errors import DataError

PARTS = {
    "train": ("train", "training"),
    "val": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""The parts of a `Split`, and what they are called; the likelier names of one come first."""
MORE = frozenset(("set", "data", "dataset", "images", "image", "imgs", "img", "photos", "pictures", "split"))
"""Words that may stand beside them, as in ``training_set``, ``test-images``, ``valset``."""
_PART_OF = {word: part for part, words in PARTS.items() for word in words}

PATH, LABEL, SPLIT = "path", "label", "split"
_NAMES = {
    PATH: "path paths file files filename filenames filepath filepaths fname fpath relativepath relpath "
    "image images imagepath imagepaths imagefile imagefilename imagename img imgs imgpath imgfile imgname "
    "photo picture",
    LABEL: "label labels class classes classname classlabel category categories categoryname target targets "
    "targetname labelname labeltext labelstr",
    SPLIT: "split set subset partition dataset datasplit part",
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names.split()}
_LAST = {"id": PATH, "imageid": PATH, "imgid": PATH}
"""Taken where nothing better is there."""


@dataclass(frozen=True)
class Columns:
    """Which columns, by number, hold what. ``split``: None where there is none.

    label_rivals: others that are called as labels are, passed over since one is called just ``label``.
    is_split_sure: whether it is called just ``split``; another may be something else.
    """

    path: int
    label: int
    split: int | None
    label_rivals: tuple[int, ...] = ()
    is_split_sure: bool = True


def part_of(name: str) -> str | None:
    """``train``, ``val`` or ``test`` for a word that means it (``Valid``, ``training_set``), else None."""
    words = [word for word in re.split(r"[\W_]+", name.casefold()) if word and word not in MORE]
    if len(words) != 1:
        return None
    word = words[0]
    short = next((word.removesuffix(more) for more in ("set", "data") if word.endswith(more)), word)
    return _PART_OF.get(word) or _PART_OF.get(short)


def role_of(name: str) -> str | None:
    """``path``, ``label`` or ``split`` for a column's name that means it (``File_Name``), else None."""
    return _ROLES.get(_key(name)) or _LAST.get(_key(name))


def called(names: Sequence[str], role: str) -> list[int]:
    """The columns, by number, that are called as ``role`` is: those called just that, else those of a word
    for it, else those of a word that may mean it."""
    exact = [i for i, name in enumerate(names) if _key(name) == role]
    found = exact or _called(names, role)
    return found or [i for i, name in enumerate(names) if _LAST.get(_key(name)) == role]


def find_columns(names: Sequence[str], where: str) -> Columns:
    """The columns of images, labels and parts by their names. One called just ``path``, ``label`` or
    ``split`` comes before all others.

    Raises DataError, beginning with ``where``, where there is none, or a choice.
    """
    path, label = _one(names, PATH, where), _one(names, LABEL, where)
    for role, found in ((PATH, path), (LABEL, label)):
        if found is None:
            raise DataError(
                f"{where}: no column of {_listed(names)} is called as the {role} of an image is; call one "
                f"{role!r}, or {_EXAMPLES[role]}"
            )
    assert path is not None and label is not None
    split = _one(names, SPLIT, where)
    rivals = tuple(i for i in _called(names, LABEL) if i != label)
    return Columns(path, label, split, rivals, split is None or _key(names[split]) == SPLIT)


def settle_columns(columns: Columns, names: Sequence[str], first: Sequence[str], where: str) -> Columns:
    """The columns as their first line of values shows them: a column that may hold the parts and holds none
    is passed over.

    Raises DataError, beginning with ``where``, where labels are numbers and beside them stand words.
    """

    def value(column: int) -> str:
        return first[column] if column < len(first) else ""

    words = [names[i] for i in columns.label_rivals if value(i) and not value(i).isdigit()]
    if words and value(columns.label).isdigit():
        raise DataError(
            f"{where}: the column {names[columns.label]!r} holds numbers and {words[0]!r} words; class names "
            "are read as words: call that column 'label', and the other something else"
        )
    if columns.split is not None and not columns.is_split_sure and part_of(value(columns.split)) is None:
        return replace(columns, split=None)
    return columns


_EXAMPLES = {
    PATH: "'filename', 'file', 'image', 'image_path'",
    LABEL: "'class', 'class_name', 'category', 'target'",
}


def _one(names: Sequence[str], role: str, where: str) -> int | None:
    found = called(names, role)
    if len(found) > 1:
        shown = " and ".join(repr(names[i]) for i in found)
        if len({names[i] for i in found}) == 1:
            raise DataError(f"{where}: the column {names[found[0]]!r} is there twice; rename one")
        raise DataError(
            f"{where}: the columns {shown} are all called as the {role} of an image is; call the one that is "
            f"meant {role!r}, or rename the others"
        )
    return found[0] if found else None


def _called(names: Sequence[str], role: str) -> list[int]:
    return [i for i, name in enumerate(names) if _ROLES.get(_key(name)) == role]


def _key(name: str) -> str:
    """``File_Name``, ``file name`` and ``fileName`` are one."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
