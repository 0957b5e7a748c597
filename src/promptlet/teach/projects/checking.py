"""A file that somebody drops: an image that `promptlet fit` reads, or in words why not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from promptlet.data.images.formats import PREFIX_BYTES, format_of
from promptlet.data.images.opening import reduced_in_turn
from promptlet.data.images.reading import EMPTY
from promptlet.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

ENDINGS: Final = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "BMP": ".bmp",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "PPM": ".ppm",
    "AVIF": ".avif",
    "JPEG2000": ".jp2",
    "HEIF": ".heic",
}
"""How names of files of a format end."""
TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpe": "image/jpeg",
    ".jfif": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".ppm": "image/x-portable-pixmap",
    ".pgm": "image/x-portable-graymap",
    ".pbm": "image/x-portable-bitmap",
    ".pnm": "image/x-portable-anymap",
    ".avif": "image/avif",
    ".jp2": "image/jp2",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".hif": "image/heif",
}
"""What an image is served as: a raster, whatever it holds."""
THUMBNAIL: Final = 192
"""Pixels of the long side of a small picture."""
_SVG: Final = re.compile(rb"\s*(<\?xml\b|<!--|<!DOCTYPE\s+svg\b|<svg\b)", re.IGNORECASE)
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Checked:
    """ending: of the name of its file, by what it is and not by what it was called. small: a picture of it,
    of `THUMBNAIL` pixels on its long side."""

    ending: str
    small: Image.Image


def checked(data: bytes, name: str) -> Checked:
    """All of it is read. Raises ImageError."""
    if not data:
        raise ImageError(f"{name}: the file is empty; was it copied whole?").keyed(EMPTY)
    if _SVG.match(data[: PREFIX_BYTES * 4].removeprefix(_BOM)):
        raise ImageError(
            f"{name}: this is a drawing (SVG or another kind of XML), not a photo, and drawings can hold "
            "programs; save it as PNG or JPEG"
        ).keyed("image-drawing")
    ending = ENDINGS.get(format_of(data[:PREFIX_BYTES]), "")
    small = small_of(data, name)  # says why, where it is none
    return Checked(ending, small)


def small_of(source: bytes | str, name: str = "") -> Image.Image:
    """A small picture, upright, in RGB. Raises ImageError."""
    from pathlib import Path

    from promptlet.data.images.pixels import as_rgb

    file = source if isinstance(source, bytes) else Path(source)
    with reduced_in_turn(file, _factor, name) as reduced:
        image = reduced.image
        if max(image.size) > 4 * THUMBNAIL:
            image = image.reduce(max(image.size) // (2 * THUMBNAIL)) if image.mode in ("RGB", "L") else image
        small = as_rgb(image).copy()
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        return small


def _factor(width: int, height: int) -> int:
    longest = max(width, height)
    return next((by for by in (8, 4, 2) if longest >= by * THUMBNAIL), 1)
