"""Labels as they were given, whole numbers or words, beside the words that the backbone reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from promptlet.classifier.given.columns import check_none_missing
from promptlet.classifier.given.parts import Given
from promptlet.classifier.inputs import checked_labels
from promptlet.data import clean_class_name
from promptlet.errors import DataError, OptionError, did_you_mean, shown

LabelNames = Sequence[str] | Mapping[int, str]
"""Names of labels that are whole numbers: a list, counted from 0, or by number."""


@dataclass(frozen=True)
class Classes:
    """values (C,): the classes as labels name them, int64 or text, sorted; words: what each is called."""

    values: np.ndarray
    words: tuple[str, ...]

    @property
    def are_numbers(self) -> bool:
        """Whether labels are whole numbers."""
        return self.values.dtype.kind == "i"

    def rows_of(self, labels: np.ndarray, names: LabelNames | None) -> np.ndarray:
        """Which class each label is (N,), -1 where none; words whatever their "_", spaces and case.

        names: of labels that are whole numbers. Raises DataError where no label is one of the classes.
        """
        if labels.dtype.kind == "i" and self.are_numbers:
            own: dict[Any, int] = {int(value): row for row, value in enumerate(self.values)}
            keys = labels.tolist()
        else:
            own = {_key(word): row for row, word in enumerate(self.words)}
            keys = [_key(word) for word in words_of(labels, names)]
        rows = np.array([own.get(key, -1) for key in keys], np.int64)
        if len(rows) and (rows < 0).all():
            raise DataError(
                f"no label is one of the {len(own)} classes of this classifier: {shown(labels.tolist()[0])} "
                f"is not. Predict among other names with predict(images, class_names=...)."
                f"{did_you_mean(keys[0], own) if isinstance(keys[0], str) else ''}"
            )
        return rows


def read_labels(given: Given, labels: Iterable[Any] | None, names: LabelNames | None) -> np.ndarray:
    """Labels (N,): text, or int64 where they are whole numbers that ``names`` gives a meaning.

    labels: None takes those that came with the images, and names that came with them, where ``names`` is
    None. Raises DataError for another number of them, for numbers without names, for what is missing or no
    label.
    """
    if isinstance(labels, str):
        raise DataError(f"labels is the text {labels!r}; give one class name per image")
    found = [_plain(label) for label in (given.labels or () if labels is None else _column(labels))]
    if len(found) != len(given.images) or not found:
        return checked_labels(given.images, found)
    check_none_missing(found, "a label", "labels")
    of_source = given.names if labels is None else None
    table = of_source if names is None else names
    if table is None or not all(map(_is_whole, found)):
        return checked_labels(given.images, list(labels) if isinstance(labels, np.ndarray) else found)
    numbers = np.array(found, np.int64)
    own_words = words_of(numbers, table)
    return np.array(own_words) if names is None else numbers


def in_words(
    given: Given | None, names: LabelNames | None
) -> tuple[list[Any], list[str]] | tuple[None, None]:
    """Images and what their labels are called."""
    if given is None:
        return None, None
    return given.images, list(words_of(read_labels(given, None, names), names))


def classes_of(labels: np.ndarray, names: LabelNames | None) -> tuple[Classes, np.ndarray]:
    """The classes there are, and the row of each label's class (N,)."""
    values, targets = np.unique(labels, return_inverse=True)
    return Classes(values, words_of(values, names)), targets.astype(np.int64)


def classes_named(words: Sequence[str], names: LabelNames | None) -> Classes:
    """Classes of a prompt file, whole numbers where there are ``names``. Raises DataError for others."""
    if names is None or not words:
        return Classes(np.array(words), tuple(words))
    numbers = {_key(name): number for number, name in table_of(names).items()}
    missing = [word for word in words if _key(word) not in numbers]
    if missing:
        raise DataError(
            f"label_names has no {missing[0]!r}, which the prompt file was taught; give a name for each of: "
            f"{', '.join(words)}.{did_you_mean(missing[0], numbers)}"
        )
    return Classes(np.array([numbers[_key(word)] for word in words], np.int64), tuple(words))


def words_of(labels: np.ndarray, names: LabelNames | None) -> tuple[str, ...]:
    """What labels (N,) are called. Raises DataError for a whole number that has no name."""
    if labels.dtype.kind != "i":
        return tuple(map(str, labels.tolist()))
    table = {} if names is None else table_of(names)
    unknown = [number for number in labels.tolist() if number not in table]
    if unknown:
        known = f"{len(table)} names, of {min(table)} to {max(table)}" if table else "none"
        raise DataError(
            f"label {unknown[0]} has no name: label_names has {known}; give a name for every whole number "
            "that is a label, counted from 0, as in PromptClassifier(label_names=['cat', 'dog'])"
        )
    return tuple(table[number] for number in labels.tolist())


def table_of(names: LabelNames) -> dict[int, str]:
    """Names by number. Raises OptionError for what is no list of names."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise OptionError(
            f"label_names={shown(names)} is not allowed; give a list of names, or a dict by number"
        )
    pairs = list(names.items() if isinstance(names, Mapping) else enumerate(names))
    wrong = [pair for pair in pairs if not _is_whole(pair[0]) or not isinstance(pair[1], str)]
    if wrong:
        raise OptionError(
            f"label_names holds {shown(wrong[0][1])} for {shown(wrong[0][0])}; names are words that the "
            "backbone reads, by whole numbers"
        )
    return {int(number): name for number, name in pairs}


def _column(labels: Any) -> Any:
    """Labels in one column (N, 1) as (N,), with scikit-learn's own warning."""
    if hasattr(labels, "__array__") and not isinstance(labels, Iterable):
        labels = np.asarray(labels)
    if isinstance(labels, np.ndarray) and labels.ndim == 2 and labels.shape[1] == 1:
        from sklearn.utils.validation import column_or_1d

        column_or_1d(labels, warn=True)
        return labels.ravel()
    return labels


def _plain(label: Any) -> Any:
    """A tensor or array of one number as that number, and a whole one as an int."""
    if isinstance(label, torch.Tensor | np.ndarray) and label.ndim == 0:
        label = label.item()
    is_whole = isinstance(label, float | np.floating) and float(label).is_integer()
    return int(label) if is_whole else label  # what pandas makes of whole numbers beside a gap


def _is_whole(label: Any) -> bool:
    return isinstance(label, int | np.integer) and not isinstance(label, bool | np.bool_)


def _key(word: str) -> str:
    return clean_class_name(word).casefold()
