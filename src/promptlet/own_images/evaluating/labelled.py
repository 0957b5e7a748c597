"""The images that a classifier is judged on, with their labels: which of the data these are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.classifier import PromptLearner
from promptlet.classifier.given.parts import TEST, Asked
from promptlet.classifier.given.take import take
from promptlet.classifier.labels import read_labels, words_of
from promptlet.data import FeatureFile, Split
from promptlet.data.items import SPLIT_NAMES, Item
from promptlet.data.load import read_own
from promptlet.data.readers.feature_file import sources_of
from promptlet.errors import DataError, check_option
from promptlet.own_images.data import OwnData

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
    data: Any,
    labels: Iterable[Any] | None = None,
    part: str | None = None,
    where: str = "",
    classifier: PromptLearner | None = None,
) -> Labelled:
    """The images of ``data``: a path, data that were read (from ``where``), or images with ``labels``.

    classifier: whose columns and whose names of whole numbers are taken, where labels come in these.
    part: train, val, test or all; None takes test where there is one, else all.
    Raises DataError where there are none.
    """
    if isinstance(data, Labelled):
        return data
    if labels is not None or not isinstance(data, Split | FeatureFile | str | Path):
        return _given(data, labels, classifier)
    if isinstance(data, str | Path):
        return _of_data(read_own(Path(data)), str(data), part)
    split = data.split if isinstance(data, FeatureFile) else data
    return _of_data(data, where or split.name, part)


def _given(images: Any, labels: Iterable[Any] | None, classifier: PromptLearner | None) -> Labelled:
    """Whatever `PromptClassifier.score` takes."""
    columns = (classifier.image_column, classifier.label_column) if classifier else (None, None)
    taken = take(images, TEST, Asked(*columns, needs_labels=labels is None))
    numbers = classifier.label_names if classifier else None
    given = tuple(map(str, words_of(read_labels(taken, labels, numbers), numbers)))
    sources = taken.images
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
    return Labelled(
        where,
        tuple(sources_of(data, items)),
        tuple(str(item.path) for item in items),
        tuple(item.class_name for item in items),
        split.class_names,
        chosen,
        (FROM_TRAINING,) if chosen == ALL and not (split.test or part) else (),
    )


def _items(split: Split, part: str | None) -> tuple[Sequence[Item], str]:
    chosen = check_option("part", part or ("test" if split.test else ALL), PARTS)
    return split.every_item if chosen == ALL else getattr(split, chosen), chosen
