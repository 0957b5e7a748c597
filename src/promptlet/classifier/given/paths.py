"""Data that is named by its path: a folder, a table, a feature file, a data set that is read already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptlet.classifier.given.parts import ALL, TEST, Asked, Given
from promptlet.data import FeatureFile, Split
from promptlet.data.files import files_below, is_file, is_folder
from promptlet.data.hugging_face.source import is_hub_source
from promptlet.data.images.formats import has_image_name, heic_hint
from promptlet.data.items import Item
from promptlet.data.load import read_own
from promptlet.data.readers.feature_file import sources_of
from promptlet.errors import DataError, OptionError, why

SUFFIXES = (".csv", ".tsv", ".json", ".npz", ".parquet", ".arrow")
"""Of files that hold a data set."""


def is_data(source: Any) -> bool:
    """Whether this is a data set that was read, or the path of one, and not of an image."""
    if isinstance(source, Split | FeatureFile):
        return True
    if not isinstance(source, str | Path):
        return False
    return is_hub_source(source) or Path(source).suffix.lower() in SUFFIXES or is_folder(Path(source))


def take_data(source: str | Path | Split | FeatureFile, part: str, asked: Asked) -> Given:
    """Images with their class names; of a folder all images below it, where no labels are wanted.

    Raises DataError, and OptionError for labels of a file whose columns are chosen.
    """
    if part == ALL and isinstance(source, str | Path) and is_folder(Path(source)):
        return Given(images_below(Path(source)))
    if asked.needs_labels and isinstance(source, str | Path):
        _check_no_columns(source, asked)
    data = source if isinstance(source, Split | FeatureFile) else read_own(source)
    split = data.split if isinstance(data, FeatureFile) else data

    def given(items: tuple[Item, ...], val: Given | None = None) -> Given:
        return Given(sources_of(data, items), [item.class_name for item in items], val=val)

    if part == ALL:
        return given(split.every_item)
    if part == TEST:
        return given(split.test or split.every_item)
    return given(split.train, given(split.val) if split.val else None)


def _check_no_columns(source: str | Path, asked: Asked) -> None:
    chosen = {"image_column": asked.image, "label_column": asked.label}
    names = [f"{option}={name!r}" for option, name in chosen.items() if name is not None]
    if names and (is_hub_source(source) or Path(source).suffix.lower() in SUFFIXES):
        raise OptionError(
            f"{source}: {' and '.join(names)} would do nothing: columns of a file are found by their names, "
            "and chosen for data in memory; call them path and label there, or choose them as in "
            "hf:FILE.parquet?image=COLUMN&label=COLUMN"
        )


def images_below(folder: Path) -> list[Path]:
    """All image files in a folder and the folders in it, in the order of their paths. Raises DataError for
    none, and where a folder cannot be listed."""
    found = [path for path in files_below(folder, _refuse) if has_image_name(path.name) and is_file(path)]
    if not found:
        raise DataError(
            f"{folder}: there is no image file in it, nor in a folder below it; check the path"
            f"{heic_hint([folder])}"
        )
    return sorted(found, key=lambda path: path.parts)


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be listed ({why(error)}); check its permissions") from error
