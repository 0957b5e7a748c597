"""Items, splits and class names: what every reader returns.

Class names are cleaned when they are read (``golden_retriever`` becomes ``golden retriever``), because
they end up inside a prompt; `Split.class_names` and `Item.class_name` hold the cleaned form.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptlet.errors import DataError, shown

SPLIT_NAMES = ("train", "val", "test")
ALL_TRAIN = "every image is a training image"
"""The rule where a source has no parts."""


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled image: ``label`` indexes `Split.class_names`, ``row`` a feature file's features."""

    path: Path
    label: int
    class_name: str
    row: int | None = None


@dataclass(frozen=True)
class Split:
    """A data set: C class names and the items of train, val and test, in the order of their source.

    ``rule`` says what fixed the parts: a split file, official lists, folders, a column, or this library's own
    draw; every reader sets it. Raises `DataError` when an item's label or class name does not fit
    ``class_names``.
    """

    name: str
    class_names: tuple[str, ...]
    train: tuple[Item, ...]
    val: tuple[Item, ...]
    test: tuple[Item, ...]
    rule: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        names = dict(enumerate(self.class_names))
        for item in self.every_item:
            if names.get(item.label) != item.class_name:
                raise DataError(
                    f"{self.name}: {item.path} has label {item.label} and class name "
                    f"{item.class_name!r}, but class_names has {names.get(item.label)!r} there "
                    f"({len(names)} classes, counted from 0)"
                )

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={len(getattr(self, name)):,}" for name in SPLIT_NAMES)
        return f"Split({shown(self.name)}, {len(self.class_names):,} classes, {parts} images)"

    @property
    def every_item(self) -> tuple[Item, ...]:
        """Train, then val, then test."""
        return self.train + self.val + self.test


def clean_class_name(name: str) -> str:
    """``_`` becomes a space, runs of white space one space, ends are stripped, accents are composed (NFC)."""
    return " ".join(composed(name).replace("_", " ").split())


def composed(name: str) -> str:
    """The name with its accents composed (NFC). Systems store one name in two forms, which look alike."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def check_text(text: str, where: str, what: str) -> str:
    """The text itself. Raises `DataError`, "where: what text ...", where UTF-8 cannot write it, or for NUL.

    Half a character (a lone surrogate) is what Python makes of bytes in a file's name that are no UTF-8.
    """
    if text.isascii() and "\0" not in text:
        return text
    if "\0" in text:
        raise DataError(
            f"{where}: {what} {text!r} holds a NUL character (code 0), which no name may hold; remove it"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: {what} {text!r} is no text in UTF-8: it holds half a character (a lone surrogate, "
            f"number {error.start + 1} of it), as of a name in another encoding; rename it"
        ) from error
    return text


def check_class_names(names: Iterable[str], where: str = "class_names") -> tuple[str, ...]:
    """The cleaned names, in order.

    Raises `DataError`, beginning with ``where``, for an empty name, for one that is no text, for two names
    that differ at most by ``_``, case or spaces, and for fewer than 2 names.
    """
    seen: dict[str, str] = {}
    cleaned: list[str] = []
    for name in names:
        check_text(name, where, "the class name")
        clean = clean_class_name(name)
        if not clean:
            raise DataError(f"{where}: the class name {name!r} is empty; give every class a name")
        first = seen.setdefault(clean.casefold(), name)
        if len(seen) == len(cleaned):
            raise DataError(_same_name(where, first, name))
        cleaned.append(clean)
    if len(cleaned) < 2:
        raise DataError(_too_few(where, cleaned))
    return tuple(cleaned)


def _same_name(where: str, first: str, second: str) -> str:
    if first == second:
        return f"{where}: the class name {first!r} is there twice; rename one class, or merge the two"
    if composed(first) == composed(second):
        return (
            f"{where}: the class name {first!r} is there twice, with its accents composed (NFC) and not "
            "(NFD); write it one way"
        )
    return (
        f"{where}: the class names {first!r} and {second!r} differ only by '_', case or spaces, so "
        "their prompts would be the same; rename one class, or merge the two"
    )


def _too_few(where: str, names: Sequence[str]) -> str:
    found = f"there is only one class, {names[0]!r}" if names else "there is no class"
    return f"{where}: {found}; a classifier tells at least 2 apart: add images of what the others should be"


def build_split(name: str, parts: Mapping[str, Sequence[tuple[Path, str]]], where: str, rule: str) -> Split:
    """A split of (path, class name) pairs per split name; classes are sorted by their uncleaned name.

    Names that differ by the form of their accents alone are one.
    """
    raw = sorted({composed(class_name) for pairs in parts.values() for _, class_name in pairs})
    names = check_class_names(raw, where)
    labels = {class_name: label for label, class_name in enumerate(raw)}

    def items(part: str) -> tuple[Item, ...]:
        return tuple(
            Item(path, labels[composed(raw_name)], names[labels[composed(raw_name)]])
            for path, raw_name in parts.get(part, ())
        )

    return Split(name, names, *(items(part) for part in SPLIT_NAMES), rule=rule)
