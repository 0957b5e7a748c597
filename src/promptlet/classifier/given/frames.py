"""Data frames, of pandas or polars, told by what they can do: neither is imported.

A frame holds images (paths, pictures, bytes) in a column, or features, one number a column; perhaps labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from promptlet.classifier.given.columns import (
    asked_column,
    check_none_missing,
    is_missing,
    listed,
    looks_like_image,
    no_column,
    several,
    the_column,
)
from promptlet.classifier.given.parts import Asked, Given
from promptlet.data.words import LABEL, PATH
from promptlet.errors import DataError

WHERE = "the data frame"


def is_frame(source: Any) -> bool:
    """Whether this is a table in memory with named columns."""
    shape = getattr(source, "shape", None)
    has_two = isinstance(shape, tuple) and len(shape) == 2
    return has_two and hasattr(source, "columns") and hasattr(source, "to_numpy")


def take_frame(frame: Any, asked: Asked) -> Given:
    """Its images or features, and its labels where it has a column of them. Raises DataError, OptionError."""
    columns = list(frame.columns)
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise DataError(f"{WHERE}: the column {twice[0]!r} is there twice; rename one")
    image = _image_column(frame, columns, asked.image)
    label = _label_column(columns, asked, image)
    if label is None and asked.needs_labels:
        raise no_column(LABEL, columns, WHERE)
    labels = None if label is None else _values(frame, label)
    if labels is not None and asked.needs_labels:
        check_none_missing(labels, f"the column {label!r}", WHERE)
    if image is None:
        numbers = [name for name in columns if name != label]
        names = numbers if all(isinstance(name, str) for name in numbers) else None
        return Given(_features(frame, numbers), labels, columns=names)
    images = _values(frame, image)
    check_none_missing(images, f"the column {image!r}", WHERE)
    return Given(images, labels)


def _image_column(frame: Any, columns: list[Any], name: str | None) -> Any | None:
    if name is not None:
        return asked_column(name, PATH, columns, WHERE)

    def first(column: Any) -> Any:
        return next((value for value in frame[column] if not is_missing(value)), None)

    named = the_column(PATH, columns, WHERE, lambda c: not isinstance(first(c), int | float | np.number))
    if named is not None:
        return named
    found = [
        column for column in columns if not _is_numeric(frame, column) and looks_like_image(first(column))
    ]
    if len(found) > 1:
        raise several(found, PATH, WHERE)
    return found[0] if found else None


def _label_column(columns: list[Any], asked: Asked, image: Any | None) -> Any | None:
    if asked.label is not None and (asked.needs_labels or asked.label in columns):
        return asked_column(asked.label, LABEL, columns, WHERE)
    if not asked.needs_labels and image is not None:
        return None
    return the_column(LABEL, columns, WHERE, lambda column: column != image)


def _features(frame: Any, columns: list[Any]) -> list[Any]:
    """Rows as vectors, of columns that are all numbers. Raises DataError for others."""
    words = [name for name in columns if not _is_numeric(frame, name)]
    if words and len(words) == len(columns):
        raise no_column(PATH, columns, WHERE)
    if words:
        raise DataError(
            f"{WHERE}: it has no column of images, and is read as features, one number a column; but "
            f"{listed(words)} beside them hold something else: leave these out, or name the images: "
            "PromptClassifier(image_column=...)"
        )
    return list(np.column_stack([np.asarray(frame[name], np.float32) for name in columns]))


def _is_numeric(frame: Any, column: Any) -> bool:
    return np.asarray(frame[column]).dtype.kind in "fiu"


def _values(frame: Any, column: Any) -> list[Any]:
    return list(frame[column])
