"""JPEG decoded at a half, a quarter or an eighth of its sides: what is read of a large photo that a small
picture is made of anyway.

libjpeg makes such a picture of the low frequencies alone, which takes a third of the time. It is not what a
filter over all pixels gives; how near it comes is a matter of how much is left, which `Factor` decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from promptlet.data.images.pixels import ORIENTATION

if TYPE_CHECKING:
    from PIL import Image

FACTORS = (8, 4, 2)
JPEG = ("JPEG", "MPO")
TURNED = (5, 6, 7, 8)
"""EXIF orientations of pictures that lie on a side, and those of which the last stored column (or row, where
they lie on a side) becomes the first column, or the first row."""
FROM_THE_RIGHT, FROM_BELOW = (2, 3, 6, 7), (3, 4, 7, 8)

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
    turn = _orientation(image)
    width, height = image.size[::-1] if turn in TURNED else image.size
    by = factor(width, height) if image.format in JPEG else 1
    if by == 1:
        return Reduced(image, width, height)
    image.draft(None, (image.width // by, image.height // by))
    small = image.size[::-1] if turn in TURNED else image.size
    if small != (-(-width // by), -(-height // by)):  # Pillow may decode larger, and never smaller
        by = round(width / small[0])
    left = small[0] - width / by if turn in FROM_THE_RIGHT else 0.0
    top = small[1] - height / by if turn in FROM_BELOW else 0.0
    return Reduced(image, width, height, by, left, top)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged EXIF block raises anything; the picture is then taken as it lies
        return 1
