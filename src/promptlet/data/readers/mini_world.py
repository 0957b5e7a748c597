"""The data sets of the mini world, drawn once into the user's cache folder and read from there."""

from __future__ import annotations

from pathlib import Path

from promptlet.data.cache.features import default_folder
from promptlet.data.images.opening import list_images
from promptlet.data.items import Split, build_split
from promptlet.errors import DataError
from promptlet.mini.datasets import EVERY_DATASET, VERSION, draw_dataset, folder_name


def read_mini(name: str, folder: Path | None = None) -> Split:
    """One of `promptlet.mini.datasets.EVERY_DATASET`, drawn below ``folder`` when it is not there yet.

    ``folder`` defaults to ``mini`` in the cache folder. Raises `DataError` when it cannot be written.
    """
    dataset = EVERY_DATASET[name]
    place = default_folder() / "mini" if folder is None else folder
    try:
        root = draw_dataset(name, place / f"v{VERSION}" / name)
    except OSError as error:
        raise DataError(
            f"{name}: its pictures cannot be drawn into {place} ({error.strerror}); free some space there, "
            "or set PROMPTLET_CACHE to another folder"
        ) from error
    parts = {
        part: [
            (path, folder_name(title))
            for title in dataset.class_names
            for path in list_images(root / part / folder_name(title))
        ]
        for part in dataset.parts
    }
    return build_split(name, parts, str(root), f"drawn part by part (mini world, version {VERSION})")
