"""Which column of a table in memory holds the images, and which the labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.data import IMAGE_SUFFIXES
from promptlet.data.words import LABEL, PATH, called, role_of
from promptlet.errors import DataError, OptionError, did_you_mean, shown
from promptlet.errors import listed as first_of

SHOWN = 12
OPTIONS = {PATH: "image_column", LABEL: "label_column"}
NOUNS = {PATH: "images", LABEL: "labels"}


def asked_column(name: str, role: str, columns: Sequence[Any], where: str) -> Any:
    """The column of that name. Raises OptionError for one that is not there."""
    if name in columns:
        return name
    raise OptionError(
        f"{where}: {OPTIONS[role]}={name!r} is no column; it has {listed(columns)}."
        f"{did_you_mean(name, map(str, columns))}"
    )


def the_column(role: str, columns: Sequence[Any], where: str, could_be: Callable[[Any], bool]) -> Any | None:
    """The column that is called as images or labels are, and could be it; None where there is none.

    One called just ``path``, ``image`` or ``label`` comes before others. Raises DataError for a choice.
    """
    possible = [name for name in columns if role_of(str(name)) == role and could_be(name)]
    exact = [name for name in possible if str(name).casefold() in (role, NOUNS[role][:-1])]
    found = exact or [possible[i] for i in called(list(map(str, possible)), role)]
    if len(found) > 1:
        raise several(found, role, where)
    return found[0] if found else None


def several(found: Sequence[Any], role: str, where: str) -> DataError:
    """What is said of a choice."""
    option = OPTIONS[role]
    return DataError(
        f"{where}: the columns {' and '.join(repr(name) for name in found)} can each hold the {NOUNS[role]}; "
        f"choose one, as in PromptClassifier({option}={str(found[0])!r})"
    )


def no_column(role: str, columns: Sequence[Any], where: str) -> DataError:
    """What is said where nothing can be it."""
    words = {PATH: "image, path, file, filename", LABEL: "label, class, class_name, category, target"}
    return DataError(
        f"{where}: no column is called as {NOUNS[role]} are ({words[role]}, ...); it has {listed(columns)}; "
        f"name it: PromptClassifier({OPTIONS[role]}=...)"
    )


def listed(columns: Iterable[Any]) -> str:
    """Names of columns in a message."""
    return f"the columns {first_of(map(repr, columns), SHOWN)}"


def looks_like_image(value: Any) -> bool:
    """Whether a value is a picture, bytes, or a text that names an image file."""
    if isinstance(value, str | Path):
        return Path(value).suffix.lower() in IMAGE_SUFFIXES
    if isinstance(value, Mapping):
        return "bytes" in value or "path" in value
    return isinstance(value, bytes) or hasattr(value, "getbands") or (np.ndim(value) in (2, 3))


def is_missing(value: Any) -> bool:
    """None, NaN, or what data frames have in their place."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def check_none_missing(values: Sequence[Any], what: str, where: str) -> None:
    """Raise DataError where a value is missing."""
    rows = [row for row, value in enumerate(values) if is_missing(value)]
    if rows:
        raise DataError(
            f"{where}: {what} has no value in row {rows[0]} (counted from 0; {len(rows)} of {len(values)} "
            f"rows, {shown(values[rows[0]])}); fill it in, or leave the rows out"
        )
