"""JPEG decoded at a half, a quarter or an eighth of its sides: what is read of a large photo that a small
picture is made of anyway.

libjpeg makes such a picture of the low frequencies alone, which takes a third of the time. It is not what a
filter over all pixels gives; how near it comes is a matter of how much is left, which `Factor` decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from promptlet.data.images.pixels import rotated

if TYPE_CHECKING:
    from PIL import Image

FACTORS = (8, 4, 2)
JPEG = ("JPEG", "MPO")
PROBE = (2, 3)
"""Sides of a picture that is turned as a photo will be, to see how."""

Factor: TypeAlias = Callable[[int, int], int]
"""By how much the sides of a picture of so many pixels (width, height), upright, may become smaller."""


@dataclass(frozen=True)
class Reduced:
    """A picture, upright, of 8 bits: of ``width`` x ``height`` pixels, of which ``factor`` x ``factor``
    became one. left, top: where they begin in ``image``, in its pixels: those at an edge stand for fewer."""

    image: Image.Image
    width: int
    height: int
    factor: int = 1
    left: float = 0.0
    top: float = 0.0

    def with_image(self, image: Image.Image) -> Reduced:
        """The same of what was decoded meanwhile."""
        return replace(self, image=image)


def whole(image: Image.Image) -> Reduced:
    """All pixels of a picture."""
    return Reduced(image, image.width, image.height)


def reduce_jpeg(image: Image.Image, factor: Factor) -> Reduced:
    """Tell a file that is opened, and not decoded, to decode small where it is a JPEG."""
    if image.format not in JPEG:
        return whole(image)
    is_on_side, from_right, from_below = _turn(image)
    width, height = image.size[::-1] if is_on_side else image.size
    by = factor(width, height)
    if by == 1:
        return Reduced(image, width, height)
    image.draft(None, (image.width // by, image.height // by))
    small = image.size[::-1] if is_on_side else image.size
    if small != (-(-width // by), -(-height // by)):  # Pillow may decode larger, and never smaller
        by = round(width / small[0])
    left = small[0] - width / by if from_right else 0.0
    top = small[1] - height / by if from_below else 0.0
    return Reduced(image, width, height, by, left, top)


def _turn(image: Image.Image) -> tuple[bool, bool, bool]:
    """How the picture will be turned once it is decoded: whether it lies on a side, and whether its first
    column, and its first row, are stored last.

    Not by the tag: one that is no number, or stands in a damaged block, turns nothing. So a small picture
    with the same information is turned.
    """
    from PIL import Image

    probe = Image.frombytes("L", PROBE, bytes(range(PROBE[0] * PROBE[1])))
    probe.info = image.info.copy()
    seen = rotated(probe)
    y, x = divmod(int(seen.tobytes()[0]), PROBE[0])
    is_on_side = seen.size != PROBE
    return is_on_side, bool(y if is_on_side else x), bool(x if is_on_side else y)
