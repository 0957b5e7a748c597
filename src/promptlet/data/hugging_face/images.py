"""Images as Hugging Face `datasets` stores them, written to files: encoded bytes unchanged, pixels as PNG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from promptlet.data.files import is_file, portable
from promptlet.data.images.formats import HEIC_SUFFIXES, IMAGE_SUFFIXES, PREFIX_BYTES, format_of
from promptlet.errors import DataError

SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}
"""By format; others are called by their name."""
NO_IMAGE = ".bin"
"""Of bytes that are no image that is read; opening the file tells what is wrong with it."""


def store_image(value: Any, target: Path, beside: Path | None, where: str) -> Path:
    """The file that holds an image: ``target`` with the suffix of its format, or one that is named by path.

    ``value``: bytes, {"bytes", "path"}, or nested lists of pixels (H, W), (H, W, C) or (C, H, W). A relative
    path starts at ``beside``. Raises `DataError`, beginning with ``where``; OSError when it cannot write.
    """
    if value is None:
        raise DataError(f"{where}: there is no image (None); leave out the row and save the data set again")
    if isinstance(value, list):
        return _write(_png(value, where), target, "")
    stored = value if isinstance(value, dict) else {"bytes": value, "path": None}
    name = stored.get("path") or ""
    if stored["bytes"] is not None:
        return _write(stored["bytes"], target, name)
    file = portable(beside or Path(), name)
    if not name or not is_file(file):
        what = f"the file {name} is not on this machine" if name else "it has neither bytes nor a path"
        raise DataError(
            f"{where}: the image is not stored in the data set, and {what}; save it again where images are"
        )
    return file.resolve()


def _write(content: bytes, target: Path, name: str) -> Path:
    target = target.with_suffix(_suffix(content, name))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def _suffix(content: bytes, name: str) -> str:
    """That of the format which the bytes have, else the one that they came with."""
    found = format_of(content[:PREFIX_BYTES])
    if found:
        return SUFFIXES.get(found, f".{found.lower()}")
    given = Path(name).suffix.lower()
    return given if given in IMAGE_SUFFIXES | HEIC_SUFFIXES else NO_IMAGE


def _png(pixels: list[Any], where: str) -> bytes:
    import numpy as np

    from promptlet.data.images.pixels import array_to_rgb

    try:
        array = np.array(pixels)
        if array.ndim == 3 and array.shape[2] not in (1, 3) and array.shape[0] in (1, 3):
            array = np.moveaxis(array, 0, 2)
        if array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() <= 255:
            array = array.astype(np.uint8)
        image = array_to_rgb(array)
    except (
        ValueError,
        TypeError,
        OverflowError,
    ) as error:  # lists of several lengths, or what `array_to_rgb` says
        raise DataError(f"{where}: {error}") from error
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()
