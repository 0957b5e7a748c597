"""The parts of a person's data, as a classifier takes them: images, or features, and their labels."""

from __future__ import annotations

from typing import Any, NamedTuple

from promptlet.data import FeatureFile
from promptlet.data.items import SPLIT_NAMES
from promptlet.data.readers.feature_file import sources_of
from promptlet.own_images.data import OwnData


class Part(NamedTuple):
    """images: paths, or features (D,) each; labels: class names."""

    images: list[Any]
    labels: list[str]


def parts_of(data: OwnData) -> dict[str, Part]:
    """``train``, ``val`` and ``test``; those that are not there are empty."""
    split = data.split if isinstance(data, FeatureFile) else data
    return {
        name: Part(sources_of(data, items), [item.class_name for item in items])
        for name, items in ((name, getattr(split, name)) for name in SPLIT_NAMES)
    }
