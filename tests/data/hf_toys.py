"""Small data sets made with Hugging Face `datasets` itself, of real encoded images whose bytes are known."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage

NAMES = ("maple_tree", "dog", "oak_tree")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")


def encoded(number: int, file_format: str = "PNG") -> bytes:
    """The file of a small picture, another for every number."""
    picture = PillowImage.new("RGB", (5, 4), (number * 7 % 256, number % 256, 90))
    picture.putpixel((number % 5, 1), (255, 255, 255))
    file = io.BytesIO()
    picture.save(file, file_format)
    return file.getvalue()


def image_set(
    labels: Sequence[Any],
    first: int = 0,
    kind: Any = NAMES,
    label: str = "label",
    image: str = "image",
    **more: tuple[Any, list[Any]],
) -> Any:
    """Images numbered from ``first``; ``kind``: class names, or a feature; ``more``: (feature, values)."""
    import datasets

    feature = datasets.ClassLabel(names=list(kind)) if isinstance(kind, tuple) else kind
    columns = {
        image: [{"bytes": encoded(first + i), "path": f"{first + i}.png"} for i in range(len(labels))],
        label: list(labels),
        **{name: values for name, (_, values) in more.items()},
    }
    features = {image: datasets.Image(), label: feature, **{name: kind for name, (kind, _) in more.items()}}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def save_hub_layout(folder: Path, splits: dict[str, Any]) -> Path:
    """Parquet files as on the hub: data/train-00000-of-00001.parquet."""
    (folder / "data").mkdir(parents=True)
    for name, rows in splits.items():
        rows.to_parquet(str(folder / "data" / f"{name}-00000-of-00001.parquet"))
    return folder


def save_disk(folder: Path, splits: dict[str, Any]) -> Path:
    """What `DatasetDict.save_to_disk` writes."""
    import datasets

    datasets.DatasetDict(splits).save_to_disk(str(folder))
    return folder
