"""A gallery as plain data: small pictures with words below, which become part of the page."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptlet.errors import OptionError
from promptlet.pages.figure import address_of

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 224
"""Pixels of the longer side of a small picture: sharp at the size it is shown in, also on a fine screen."""
MOST, MOST_BYTES = 60, 2_000_000
"""Pictures of one gallery, and what they may take together."""
QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """A small picture (PNG or JPEG; None where it cannot be shown) with lines of words below.

    alt: what stands for it where it cannot be seen.
    """

    thumbnail: bytes | None
    alt: str
    lines: Sequence[str] = ()

    @property
    def source(self) -> str:
        """The picture as an address that holds it; empty where there is none."""
        return "" if self.thumbnail is None else address_of(self.thumbnail)


@dataclass(frozen=True)
class Gallery:
    """Pictures in rows. label: what they are, for screen readers. Raises OptionError without a label."""

    label: str
    pictures: Sequence[Picture]

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise OptionError("a gallery needs a label; say what it shows")


def thumbnail(image: Image, side: int = SIDE) -> bytes:
    """A small JPEG of an upright RGB image: pixels alone, nothing that its file tells of place or time."""
    from PIL import Image as Pillow

    small = image.convert("RGB")
    if max(small.size) > side:
        scale = side / max(small.size)
        width, height = (max(1, round(length * scale)) for length in small.size)
        small = small.resize((width, height), Pillow.Resampling.LANCZOS, reducing_gap=3.0)
    plain = Pillow.new("RGB", small.size)
    plain.paste(small)
    buffer = io.BytesIO()
    plain.save(buffer, format="JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


def bounded(pictures: Iterable[Picture], most: int = MOST, most_bytes: int = MOST_BYTES) -> list[Picture]:
    """The first pictures that fit a page. Of an iterator, no more are asked for than fit, and one."""
    kept: list[Picture] = []
    room = most_bytes
    for picture in pictures:
        room -= len(picture.thumbnail or b"")
        if room < 0:
            break
        kept.append(picture)
        if len(kept) >= most:
            break
    return kept
