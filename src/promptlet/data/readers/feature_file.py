"""Feature files (.npz): image features computed once, with the split they belong to.

Arrays: ``features`` (N, D) floats, not normalised; ``labels`` (N,) whole numbers; ``class_names`` (C,) text;
``split`` (N,) with 0 train, 1 val, 2 test; ``paths`` (N,) text; may be missing: ``split_names`` (3,) text and
``rule`` (1,) text, what fixed the parts. Other arrays are passed over. Pickled content is never loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from promptlet.data.arrays import Arrays, read_arrays, write_arrays
from promptlet.data.items import SPLIT_NAMES, Item, Split, check_class_names, check_text
from promptlet.data.vectors import usable_vectors
from promptlet.errors import DataError, check_option

REQUIRED = ("features", "labels", "class_names", "split", "paths")
KINDS = {"features": ("f", "floats"), "labels": ("iu", "whole numbers"), "split": ("iu", "whole numbers")}
KINDS |= dict.fromkeys(("class_names", "paths", "split_names", "rule"), ("U", "text (dtype str)"))
OPTIONAL = ("split_names", "rule")


@dataclass(frozen=True, eq=False)
class FeatureFile:
    """A split whose items carry ``row``, and ``features`` (N, D) float32, not normalised, read-only."""

    split: Split
    features: npt.NDArray[np.float32]

    def __repr__(self) -> str:
        rows, dim = self.features.shape
        return f"FeatureFile({self.split!r}, {rows:,} features of {dim:,} numbers)"

    @classmethod
    def of(cls, split: Split, features: npt.NDArray[Any]) -> FeatureFile:
        """Join features (N, D), in the order train, val, test, to the split's N items.

        Raises `DataError` when the numbers disagree, or a row is not finite or zeros alone.
        """
        count = len(split.every_item)
        if features.ndim != 2 or len(features) != count:
            raise DataError(f"features have shape {features.shape}; expected ({count}, D), one row per item")
        numbered = iter(range(count))
        parts = (
            tuple(replace(item, row=next(numbered)) for item in getattr(split, name)) for name in SPLIT_NAMES
        )
        return cls(
            Split(split.name, split.class_names, *parts, rule=split.rule), _frozen(features, split.name)
        )


def sources_of(data: Split | FeatureFile, items: Iterable[Item]) -> list[Any]:
    """What can be encoded or is so already: the paths of items, or their features (D,)."""
    if isinstance(data, FeatureFile):
        return [data.features[item.row] for item in items]
    return [item.path for item in items]


def read_feature_file(path: str | Path) -> FeatureFile:
    """Read and check a feature file; each item's ``row`` is its row, items keep the file's order within a
    split.

    A split may be empty. Raises `DataError` naming the array at fault.
    """
    path = Path(path)
    arrays = read_arrays(path, REQUIRED, OPTIONAL, "a feature file", "write_feature_file")
    _check_shapes(arrays, path)
    class_names = check_class_names(arrays["class_names"].tolist(), f"{path}: class_names")
    _check_values(arrays, path)
    features = _frozen(arrays["features"], str(path))
    columns = zip(arrays["paths"].tolist(), arrays["labels"].tolist(), arrays["split"].tolist(), strict=True)
    parts: tuple[list[Item], ...] = ([], [], [])
    for row, (image, label, part) in enumerate(columns):
        check_text(image, str(path), f"paths[{row}]")
        parts[part].append(Item(Path(image), label, class_names[label], row))
    split = Split(path.stem, class_names, *map(tuple, parts), rule=_rule(arrays, path))
    return FeatureFile(split, features)


def write_feature_file(path: str | Path, file: FeatureFile, dtype: str = "float32") -> None:
    """Write items in the order train, val, test, with the features of their rows as float32 or float16.

    The file appears whole or not at all. Raises `DataError` when it cannot be written, an item has no row,
    or a number does not fit float16, and `OptionError` for another ``dtype``.
    """
    check_option("dtype", dtype, ("float32", "float16"))
    path = Path(path)
    items = file.split.every_item
    rows = file.features[_rows(items, len(file.features))]
    features = usable_vectors(rows, f"{path} as {dtype}: features", dtype=dtype)
    parts = [number for number, name in enumerate(SPLIT_NAMES) for _ in getattr(file.split, name)]
    arrays: Arrays = {
        "features": features,
        "labels": np.array([item.label for item in items], dtype=np.int32),
        "class_names": np.array(file.split.class_names, dtype=str),
        "split": np.array(parts, dtype=np.int8),
        "split_names": np.array(SPLIT_NAMES, dtype=str),
        "paths": np.array([item.path.as_posix() for item in items], dtype=str),
    }
    if file.split.rule:
        arrays["rule"] = np.array([file.split.rule], dtype=str)
    write_arrays(path, arrays)


def _rule(arrays: Arrays, path: Path) -> str:
    """What the file says of its parts, else that it has them."""
    said = " ".join(str(text) for text in arrays.get("rule", ())).strip()
    return said or f"the array split of {path.name}"


def _rows(items: tuple[Item, ...], count: int) -> npt.NDArray[np.int64]:
    for item in items:
        if item.row is None or not 0 <= item.row < count:
            raise DataError(
                f"{item.path}: its row is {item.row}, expected 0 to {count - 1}; FeatureFile.of numbers "
                "the items"
            )
    return np.array([item.row for item in items], dtype=np.int64)


def _check_shapes(arrays: Arrays, path: Path) -> None:
    for name, array in arrays.items():
        kinds, words = KINDS[name]
        ndim = 2 if name == "features" else 1
        if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds or array.ndim != ndim:
            found = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "no array"
            raise DataError(f"{path}: {name} is {found}; expected {words} with {ndim} dimension(s)")
    count, dim = arrays["features"].shape
    if count == 0 or dim == 0:
        raise DataError(
            f"{path}: features has shape ({count}, {dim}); expected at least one row and one column"
        )
    for name in ("labels", "split", "paths"):
        if len(arrays[name]) != count:
            raise DataError(
                f"{path}: {name} has {len(arrays[name])} entries and features {count} rows; expected equal"
            )
    names = tuple(arrays["split_names"].tolist()) if "split_names" in arrays else SPLIT_NAMES
    if names != SPLIT_NAMES:
        raise DataError(
            f"{path}: split_names is {', '.join(names)}; expected {', '.join(SPLIT_NAMES)}, in that order"
        )


def _check_values(arrays: Arrays, path: Path) -> None:
    limits = {"labels": len(arrays["class_names"]), "split": len(SPLIT_NAMES)}
    for name, limit in limits.items():
        wrong = np.flatnonzero((arrays[name] < 0) | (arrays[name] >= limit))
        if wrong.size:
            raise DataError(
                f"{path}: {name}[{wrong[0]}] is {arrays[name][wrong[0]]}; allowed: 0 to {limit - 1} "
                f"({wrong.size} of {len(arrays[name])} entries are outside)"
            )


def _frozen(features: npt.NDArray[Any], where: str) -> npt.NDArray[np.float32]:
    copy: npt.NDArray[np.float32] = usable_vectors(features, f"{where}: features")
    copy.setflags(write=False)
    return copy
