"""The images that a classifier is judged on, with their labels: which of the data these are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.classifier.inputs import as_list, checked_labels
from promptlet.data import FeatureFile, Split
from promptlet.data.items import SPLIT_NAMES, Item
from promptlet.errors import DataError, check_option
from promptlet.own_images.data import OwnData, read_own

ALL = "all"
PARTS = (*SPLIT_NAMES, ALL)
FROM_TRAINING = (
    "no image is marked as a test image, so all are judged. If the prompt was taught some of them, the "
    "numbers are too good: judge it on others"
)


@dataclass(frozen=True, eq=False)
class Labelled:
    """sources: paths, pictures, or features (D,). names: what each is called. labels: the class name of each.

    class_names: those of the data. part: which of its parts, in words. notes: what must be known of that.
    """

    where: str
    sources: tuple[Any, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    class_names: tuple[str, ...]
    part: str
    notes: tuple[str, ...] = ()


def labelled(
    data: Any, labels: Iterable[str] | None = None, part: str | None = None, where: str = ""
) -> Labelled:
    """The images of ``data``: a path, data that were read (from ``where``), or images with ``labels``.

    part: train, val, test or all; None takes test where there is one, else all.
    Raises DataError where there are none.
    """
    if isinstance(data, Labelled):
        return data
    if labels is not None:
        return _given(data, labels)
    if not isinstance(data, Split | FeatureFile):
        if not isinstance(data, str | Path):
            raise DataError(
                "labels are missing: give one class name per image, or a folder, a table or another file of "
                "labelled images"
            )
        return _of_data(read_own(Path(data)), str(data), part)
    split = data.split if isinstance(data, FeatureFile) else data
    return _of_data(data, where or split.name, part)


def _given(images: Any, labels: Iterable[str]) -> Labelled:
    sources = as_list(images)
    given = tuple(map(str, checked_labels(sources, labels)))
    names = tuple(
        str(source) if isinstance(source, str | Path) else f"image {number}"
        for number, source in enumerate(sources)
    )
    return Labelled("the images given", tuple(sources), names, given, tuple(sorted(set(given))), ALL)


def _of_data(data: OwnData, where: str, part: str | None) -> Labelled:
    split = data.split if isinstance(data, FeatureFile) else data
    items, chosen = _items(split, part)
    if not items:
        there = ", ".join(name for name in SPLIT_NAMES if getattr(split, name)) or "none"
        raise DataError(f"{where}: the part {chosen} holds no images; parts with images: {there}")
    features = data.features if isinstance(data, FeatureFile) else None
    return Labelled(
        where,
        tuple(item.path if features is None else features[item.row] for item in items),
        tuple(str(item.path) for item in items),
        tuple(item.class_name for item in items),
        split.class_names,
        chosen,
        (FROM_TRAINING,) if chosen == ALL and not (split.test or part) else (),
    )


def _items(split: Split, part: str | None) -> tuple[Sequence[Item], str]:
    chosen = check_option("part", part or ("test" if split.test else ALL), PARTS)
    return split.every_item if chosen == ALL else getattr(split, chosen), chosen
