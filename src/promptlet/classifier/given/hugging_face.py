"""Data sets of the Hugging Face library `datasets`, opened in this program; it is not imported here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from promptlet.classifier.given.columns import (
    asked_column,
    check_none_missing,
    no_column,
    several,
    the_column,
)
from promptlet.classifier.given.parts import ALL, TEST, TRAIN, Asked, Given
from promptlet.data.hugging_face.columns import choose_parts
from promptlet.data.words import LABEL, PATH
from promptlet.errors import DataError

WHERE = "the data set"
KINDS = ("Dataset", "IterableDataset", "DatasetDict", "IterableDatasetDict")


def is_hugging_face(source: Any) -> bool:
    """Whether it is a data set of `datasets`, or several by the names of their parts."""
    library = sys.modules.get("datasets")
    kinds = tuple(getattr(library, kind) for kind in KINDS if hasattr(library, kind))
    return bool(kinds) and isinstance(source, kinds)


def take_hugging_face(source: Any, part: str, asked: Asked) -> Given:
    """Images as they are stored, and labels with their names. Raises DataError, OptionError.

    Of several parts: those for training, those for a test (else for training), or all.
    """
    if not isinstance(source, Mapping):
        return _take(source, asked)
    parts = choose_parts(list(source), WHERE)
    wanted = "test" if part == TEST and "test" in parts else "train"
    if part == ALL or wanted not in parts:
        raise DataError(
            f"{WHERE} has the parts {', '.join(source)}; give one of them, as in data[{next(iter(source))!r}]"
        )
    given = _take(source[parts[wanted]], asked)
    if part == TRAIN and "val" in parts:
        return Given(given.images, given.labels, given.names, _take(source[parts["val"]], asked))
    return given


def _take(data: Any, asked: Asked) -> Given:
    features = data.features
    if features is None:
        raise DataError(f"{WHERE} does not say what its columns hold (features is None): data.cast(features)")
    image = _image_column(features, asked)
    label = _label_column(features, asked, image)
    if label is None and asked.needs_labels:
        raise no_column(LABEL, list(features), WHERE)
    rows = _plain_rows(data, features, image, label)
    images = [row[image] for row in rows]
    check_none_missing(images, f"the column {image!r}", WHERE)
    if label is None:
        return Given(images)
    names = getattr(features[label], "names", None)
    labels = [None if names and row[label] == -1 else row[label] for row in rows]
    if asked.needs_labels:
        check_none_missing(labels, f"the column {label!r}", WHERE)
    return Given(images, labels, names)


def _image_column(features: Mapping[str, Any], asked: Asked) -> str:
    if asked.image is not None:
        return str(asked_column(asked.image, PATH, list(features), WHERE))
    found = [name for name, feature in features.items() if _kind(feature) == "Image"]
    if len(found) > 1:
        raise several(found, PATH, WHERE)
    name = found[0] if found else the_column(PATH, list(features), WHERE, lambda _: True)
    if name is None:
        raise no_column(PATH, list(features), WHERE)
    return str(name)


def _label_column(features: Mapping[str, Any], asked: Asked, image: str) -> str | None:
    if asked.label is not None and (asked.needs_labels or asked.label in features):
        return str(asked_column(asked.label, LABEL, list(features), WHERE))
    if not asked.needs_labels:
        return None
    found = [name for name, feature in features.items() if _kind(feature) == "ClassLabel"]
    if len(found) > 1:
        raise several(found, LABEL, WHERE)
    return found[0] if found else the_column(LABEL, list(features), WHERE, lambda name: name != image)


def _plain_rows(
    data: Any, features: Mapping[str, Any], image: str, label: str | None
) -> list[dict[str, Any]]:
    """Rows without a format or transform; images as files or bytes, decoded when they are needed."""
    if hasattr(data, "with_format"):
        data = data.with_format(None)
    data = data.select_columns([image] if label is None else [image, label])
    if _kind(features[image]) == "Image":
        data = data.cast_column(image, sys.modules["datasets"].Image(decode=False))
    return list(data)


def _kind(feature: Any) -> str:
    return type(feature).__name__
