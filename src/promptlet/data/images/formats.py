"""The formats of images that are read: by a file's first bytes, and by its name.

HEIC, in which iPhones take photos, is read where the optional extra ``heic`` is installed. Its plugin is
called directly, as Pillow's own are: nothing is registered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

from promptlet.data.files import files_below
from promptlet.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000")
"""Pillow's names of the formats read. EPS and its like, which start other programs, are left out."""
HEIF = "HEIF"

PREFIX_BYTES = 64
"""As many of a file's first bytes as tell its format."""

IMAGE_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "webp"),
        *("tif", "tiff", "ppm", "pgm", "pbm", "pnm", "avif", "jp2"),
    )
)
HEIC_SUFFIXES = frozenset((".heic", ".heif", ".hif"))

INSTALL_HEIC = "pip install 'promptlet[heic]'"
AVIF_BRANDS = frozenset((b"avif", b"avis"))
HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
ANY_BRANDS = frozenset((b"mif1", b"msf1"))
"""Of files that hold pictures of any coding."""


def reads_heic() -> bool:
    """Whether the extra ``heic`` is installed."""
    return _is_installed("pillow_heif")


@cache
def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


def image_suffixes() -> frozenset[str]:
    """How the names of files end that are read here: HEIC's too, where its extra is installed."""
    return IMAGE_SUFFIXES | HEIC_SUFFIXES if reads_heic() else IMAGE_SUFFIXES


def has_image_name(name: str) -> bool:
    """Whether a file of this name is an image that is read here."""
    return _suffix(name) in image_suffixes()


def has_heic_name(name: str) -> bool:
    """Whether a file of this name is a HEIC photo, whether it can be read here or not."""
    return _suffix(name) in HEIC_SUFFIXES


def heic_hint(folders: Iterable[Path]) -> str:
    """What HEIC photos below these folders need, where they are not read; to be added to a message."""
    if reads_heic():
        return ""
    count = sum(has_heic_name(path.name) for folder in folders for path in files_below(folder))
    return f"; its {count:,} HEIC photos are read with the extra 'heic': {INSTALL_HEIC}" if count else ""


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (of thousands of names)


def format_of(prefix: bytes) -> str:
    """The one of `FORMATS` or `HEIF` whose files begin like this (`PREFIX_BYTES`), or an empty text."""
    from PIL import Image

    if _is_heif(prefix):
        return HEIF
    Image.preinit()
    for name in FORMATS:
        if name not in Image.OPEN:
            Image.init()
        factory, accepts = Image.OPEN.get(name, (None, None))
        if factory is not None and accepts is not None and accepts(prefix) is True:
            return name
    return ""


def open_plugin(file: IO[bytes], path: Path) -> Image.Image:
    """Read the header with the plugin that accepts the first bytes; nothing is decoded yet.

    Raises ImageError for a format that is not read, or whatever the plugin raises.
    """
    from PIL import Image

    prefix = file.read(PREFIX_BYTES)
    name = format_of(prefix)
    file.seek(0)
    if name == HEIF:
        return _open_heif(file, path)
    if name:
        return Image.OPEN[name][0](file, str(path))
    if _brands(prefix) & AVIF_BRANDS:
        raise ImageError(
            f"{path}: this is an AVIF image, which Pillow reads from version 11.3 on; upgrade Pillow, "
            "convert the image to JPEG or PNG, or leave it out"
        ).keyed("image-unknown")
    raise ImageError(
        f"{path}: this is not an image that is read (it starts with {prefix[:8]!r}); "
        f"allowed: {', '.join(FORMATS)}, HEIC; convert it, or leave it out"
    ).keyed("image-unknown")


def _open_heif(file: IO[bytes], path: Path) -> Image.Image:
    if not reads_heic():
        raise ImageError(
            f"{path}: this is a HEIC photo, which is read with the extra 'heic': {INSTALL_HEIC}; or convert "
            "it to JPEG, or leave it out"
        ).keyed("image-heic", command=INSTALL_HEIC)
    from pillow_heif import HeifImageFile

    image: Image.Image = HeifImageFile(file, str(path))
    return image


def _is_heif(prefix: bytes) -> bool:
    brands = _brands(prefix)
    return bool(brands & HEIC_BRANDS) or bool(brands & ANY_BRANDS and not brands & AVIF_BRANDS)


def _brands(prefix: bytes) -> frozenset[bytes]:
    """What a file of pictures (ISO/IEC 14496-12) says that it is: the brands of its first box, those of
    `PREFIX_BYTES` at most."""
    if prefix[4:8] != b"ftyp":
        return frozenset()
    size = int.from_bytes(prefix[:4], "big")
    end = min(size, len(prefix))
    compatible = {prefix[i : i + 4] for i in range(16, end - 3, 4)}
    return frozenset({prefix[8:12], *compatible})
