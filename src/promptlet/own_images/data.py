"""A person's own data by its path: a folder, a table, a feature file, Hugging Face data."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from promptlet.data import FeatureFile, Split, ignored_files, load_dataset, read_folder
from promptlet.data.files import is_folder, is_there
from promptlet.data.hugging_face.source import is_hub_source

OwnData: TypeAlias = Split | FeatureFile


def read_own(path: Path, check_files: bool = True) -> OwnData:
    """What lies at ``path``. A bare name is a folder here, never a data set known by name.

    check_files: as in `load_dataset`. Raises DataError.
    """
    if is_there(path) or is_hub_source(path):
        return load_dataset(path, check_files=check_files)
    return read_folder(path)


def ignored(path: Path, data: OwnData) -> list[Path]:
    """Files of a folder that look like photos and are passed over: lost to their owner without a word."""
    return [] if isinstance(data, FeatureFile) or not is_folder(path) else list(ignored_files(path, data))
