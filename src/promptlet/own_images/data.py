"""A person's own data by its path: a folder, a table, a feature file, Hugging Face data."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from promptlet.data import FeatureFile, Split, ignored_files
from promptlet.data.files import is_folder

OwnData: TypeAlias = Split | FeatureFile


def ignored(path: Path, data: OwnData) -> list[Path]:
    """Files of a folder that look like photos and are passed over: lost to their owner without a word."""
    return [] if isinstance(data, FeatureFile) or not is_folder(path) else list(ignored_files(path, data))
