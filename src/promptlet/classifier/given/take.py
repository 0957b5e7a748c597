"""One way in for all that may be given as images: `take`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from promptlet.classifier.given.frames import is_frame, take_frame
from promptlet.classifier.given.hugging_face import is_hugging_face, take_hugging_face
from promptlet.classifier.given.parts import TRAIN, Asked, Given
from promptlet.classifier.given.paths import is_data, take_data
from promptlet.classifier.given.torch_data import is_torch, take_torch
from promptlet.classifier.inputs import as_list
from promptlet.errors import DataError

TOGETHER = "val_images and val_labels go together; give both or neither"
MISSING = (
    "labels are missing: give one class name per image, or a folder with one folder per class, a table "
    "(.csv), a data frame with a column of labels, a list of (image, label) pairs, or a data set. In "
    "scikit-learn's words: PromptClassifier requires y to be passed, but the target y is None"
)


def take(images: Any, part: str, asked: Asked) -> Given:
    """Images and their labels, of whatever kind they are. Raises DataError, OptionError.

    Labels may be None; with ``asked.needs_labels`` they may not, and a path is always one of data.
    """
    is_path = isinstance(images, str | Path)
    if is_data(images) or (is_path and asked.needs_labels):
        given = take_data(images, part, asked)
    elif is_frame(images):
        given = take_frame(images, asked)
    elif is_hugging_face(images):
        given = take_hugging_face(images, part, asked)
    elif is_torch(images):
        given = take_torch(images, asked)
    else:
        _check_plain(images)
        given = _pairs_apart(images)
    if asked.needs_labels and given.labels is None:
        raise DataError(MISSING)
    return replace(given, images=as_list(given.images))


def labelled(images: Any, labels: Any, own: Given | None, asked: Asked) -> Given | None:
    """Validation images with their labels: those that were given, else ``own``. Raises DataError for labels
    without images, or the reverse."""
    if images is None and labels is None:
        return own
    if images is None:
        raise DataError(TOGETHER)
    if labels is None:
        given = take(images, TRAIN, replace(asked, needs_labels=brings_labels(images)))
        if given.labels is None:
            raise DataError(TOGETHER)
        return given
    if isinstance(labels, str):
        raise DataError(f"val_labels is the text {labels!r}; give one class name per image")
    return replace(take(images, TRAIN, replace(asked, needs_labels=False)), labels=list(labels), names=None)


def brings_labels(images: Any) -> bool:
    """Whether this kind of data has labels in it."""
    return is_data(images) or is_frame(images) or is_hugging_face(images) or is_torch(images)


def _check_plain(images: Any) -> None:
    """Raise DataError for what is given by mistake, and would be read as something else."""
    if isinstance(images, Mapping) and not ("bytes" in images or "path" in images):
        raise DataError(
            f"images is a {type(images).__name__} with the keys {', '.join(map(str, list(images)[:5]))}; "
            "give the images and the labels each as a list: fit(images, labels)"
        )
    if isinstance(images, tuple) and len(images) == 2 and all(isinstance(one, list) for one in images):
        raise DataError("images is a tuple of two lists; give them apart: fit(images, labels)")


def _pairs_apart(images: Any) -> Given:
    """A list of (image, label), or of images alone."""
    if isinstance(images, np.ndarray | torch.Tensor | str | bytes | Path | Image.Image):
        return Given(as_list(images))
    plain = as_list(images)
    if not plain or not all(map(_is_pair, plain)):
        return Given(plain)
    return Given([image for image, _ in plain], [label for _, label in plain])


def _is_pair(one: Any) -> bool:
    if not isinstance(one, tuple | list) or len(one) != 2:
        return False
    image, label = one
    is_number = isinstance(image, int | float | np.number)
    is_label = isinstance(label, str | int | np.integer) or (
        isinstance(label, torch.Tensor) and label.ndim == 0
    )
    return is_label and not is_number and image is not None
