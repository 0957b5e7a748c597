"""A torch `Dataset` of (image, label), such as those of torchvision."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from promptlet.classifier.given.parts import Asked, Given
from promptlet.errors import DataError

KEYS = (("image", "label"), ("pixel_values", "labels"))
FOLDERS = "torchvision.datasets.folder"
"""Where torchvision has its folders of images, and what reads a file of them."""


def is_torch(source: Any) -> bool:
    """Whether it is a data set of torch, or a loader of one."""
    return isinstance(source, Dataset | DataLoader)


def take_torch(source: Any, asked: Asked) -> Given:
    """Its images and labels; names of labels from ``classes``, as torchvision has it.

    A folder of images without transforms gives its files, which are read when they are needed; all else is
    read once, and its images are held in memory. Raises DataError.
    """
    if isinstance(source, DataLoader):
        raise DataError(
            "this is a DataLoader, which gives batches and may turn pictures at random; give its data set: "
            "loader.dataset"
        )
    names = _names_of(source)
    files = _files_of(source)
    if files is not None:
        return Given([path for path, _ in files], [label for _, label in files], names)
    items = list(source) if isinstance(source, IterableDataset) else [source[i] for i in range(len(source))]
    pairs = [_pair(item, row, asked) for row, item in enumerate(items)]
    labels = [label for _, label in pairs]
    return Given([image for image, _ in pairs], labels if asked.needs_labels else None, names)


def _pair(item: Any, row: int, asked: Asked) -> tuple[Any, Any]:
    if isinstance(item, dict):
        keys = [(asked.image or image, asked.label or label) for image, label in KEYS]
        for image, label in keys:
            if image in item and (label in item or not asked.needs_labels):
                return item[image], item.get(label)
    elif isinstance(item, tuple | list) and len(item) >= 2:
        return item[0], item[1]
    elif not asked.needs_labels:
        return item[0] if isinstance(item, tuple | list) and len(item) == 1 else item, None
    what = f"the keys {', '.join(map(str, item))}" if isinstance(item, dict) else f"a {type(item).__name__}"
    raise DataError(
        f"item {row} of the data set is {what}; expected (image, label), or a dict with 'image' and 'label'"
    )


def _names_of(source: Any) -> list[str] | None:
    """Class names by number, also of the data set that a `Subset` is of."""
    names = getattr(source, "classes", None)
    if names is None and hasattr(source, "dataset"):
        return _names_of(source.dataset)
    return None if names is None else [str(name) for name in names]


def _files_of(source: Any) -> list[tuple[Any, Any]] | None:
    """(path, label) of torchvision's folder of images, or of a `Subset` of one, that changes neither; None of
    what reads its items in a way of its own."""
    if type(source) is Subset:
        files = _files_of(source.dataset)
        return None if files is None else [files[row] for row in source.indices]
    ways = (getattr(type(source), "__getitem__", None), getattr(source, "loader", None))
    if any(getattr(way, "__module__", None) != FOLDERS for way in ways):
        return None
    changes = (source.transform, source.target_transform)
    return None if any(change is not None for change in changes) else list(source.samples)
