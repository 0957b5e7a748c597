"""What a user may give as images, labels and names, made into lists that fit together."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from promptlet.classifier.tensors import array_of, as_source
from promptlet.data import check_class_names, sample_shots, short_classes
from promptlet.data.items import Item, Split
from promptlet.data.vectors import usable_vectors
from promptlet.errors import DataError

Images = Any  # a path, a PIL image, an array, several of these, or features (N, D)


def given_features(vectors: Sequence[Any], dim: int) -> np.ndarray:
    """Features (1, N, D) given as vectors. Raises DataError when they are none of this backbone."""
    try:
        with np.errstate(over="ignore"):  # what does not fit is infinite, which is refused
            stacked = np.stack([np.asarray(vector, np.float32) for vector in vectors])
    except (TypeError, ValueError) as error:
        raise DataError(
            "the features differ in length or hold no numbers; give an array (N, D), or images alone"
        ) from error
    if stacked.shape[1] == 0:
        raise DataError(
            f"the features have 0 feature(s) (shape={stacked.shape}) while a minimum of 1 is required; give "
            f"an array (N, {dim})"
        )
    if stacked.shape[1] != dim:
        raise DataError(
            f"features of {stacked.shape[1]} numbers do not fit this backbone, which has {dim}; "
            "encode the images with the same backbone"
        )
    return usable_vectors(stacked, "features", again="encode that image again", copy=False)[None]


def as_list(images: Images) -> list[Any]:
    """A list of sources; a single path, picture or file becomes a list of one. Raises DataError."""
    if isinstance(images, torch.Tensor):
        return _rows_of(images)
    images = _as_array(images)
    single = as_source(images)
    if isinstance(single, (str, Path, bytes, Image.Image)):
        return [single]
    if isinstance(images, np.ndarray) and images.dtype != object:
        if images.ndim == 3:
            return [images]
        if images.ndim < 2 and images.dtype.kind in "fiub":
            raise DataError(_one_vector(images.shape))
    if not isinstance(images, Iterable):
        raise DataError(
            f"images is a {type(images).__name__}; give paths, Pillow images, arrays, or features (N, D)"
        )
    rows = [as_source(one) for one in images]
    if rows and all(isinstance(row, int | float | np.number) for row in rows):
        raise DataError(_one_vector((len(rows),)))
    return rows


def _as_array(images: Images) -> Images:
    """What only says how it becomes an array, as that. Raises DataError for numbers that are no features."""
    sparse = sys.modules.get("scipy.sparse")  # what is of it has brought it
    if sparse is not None and sparse.issparse(images):
        raise DataError("sparse input is not supported: features are dense; give X.toarray()")
    is_plain = isinstance(images, np.ndarray | Iterable | Image.Image)
    array = np.asarray(images) if hasattr(images, "__array__") and not is_plain else images
    if isinstance(array, np.ndarray) and array.dtype.kind == "c":
        raise DataError("Complex data not supported: features are real numbers; give their real part, X.real")
    return array


def _rows_of(tensor: torch.Tensor) -> list[Any]:
    """Features (N, D) as vectors; one image, or a batch of them, as arrays."""
    if tensor.ndim < 2:
        raise DataError(_one_vector(tuple(tensor.shape)))
    return [array_of(tensor)] if tensor.ndim == 3 else [array_of(row) for row in tensor]


def _one_vector(shape: tuple[int, ...]) -> str:
    return (
        f"images is one row of {shape[0] if shape else 1} numbers, neither an image nor features (N, D); for "
        "one vector of features give X[:1], not X[0]. Reshape your data: X[0].reshape(1, -1)"
    )


def checked_labels(inputs: Sequence[Any], labels: Iterable[Any]) -> np.ndarray:
    """Labels as an array of text (N,). Raises DataError for another length, or labels that are not names."""
    if isinstance(labels, str):
        raise DataError(f"labels is the text {labels!r}; give one class name per image")
    given = list(labels)
    if len(given) != len(inputs):
        raise DataError(f"{len(inputs)} images but {len(given)} labels; give one label per image")
    if not given:
        raise DataError("no images given; give at least one image of each class")
    wrong = [label for label in given if not isinstance(label, str)]
    if wrong:
        unknown = "Unknown label type: " if isinstance(wrong[0], float | np.floating) else ""
        raise DataError(
            f"{unknown}label {wrong[0]!r} is a {type(wrong[0]).__name__}; labels are class names in words "
            "(the backbone reads them), such as 'dog'. Map numbers to names first, or say what they mean: "
            "PromptClassifier(label_names=[...])"
        )
    return np.array(given)


def as_names(class_names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(class_names, str):
        raise DataError(f"class_names is the text {class_names!r}; give a list of names")
    names = tuple(class_names)
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise DataError(
            f"class_names holds {wrong[0]!r}; names are words that the backbone reads, such as 'dog'"
        )
    return names


def asked_names(class_names: Iterable[str] | None, own: tuple[str, ...]) -> tuple[str, ...]:
    """The names that are answered among: those given, cleaned, or a prompt's own. Raises DataError."""
    if class_names is not None:
        return check_class_names(as_names(class_names), "class_names")
    if not own:
        raise DataError("this prompt was saved without class names; give class_names=[...]")
    return own


def draw_rows(
    labels: np.ndarray, class_names: tuple[str, ...], shots: int | None, seed: int
) -> tuple[list[int], tuple[str, ...]]:
    """Rows drawn for training, and the classes that have fewer images than shots; labels (N,) int.

    All rows where ``shots`` is None.
    """
    if shots is None:
        return list(range(len(labels))), ()
    items = tuple(
        Item(Path(f"{row:09d}"), int(label), class_names[label], row) for row, label in enumerate(labels)
    )
    split = Split("images", class_names, items, (), ())
    drawn = sample_shots(split, shots, seed)
    return [item.row for item in drawn.train if item.row is not None], short_classes(split, shots)
