"""Pictures that little can be learned from: of one colour, tiny, very long."""

from __future__ import annotations

from collections.abc import Sequence

from promptlet.own_images.checking.looks import Look
from promptlet.own_images.checking.result import ASPECT, TINY, UNIFORM, Finding, Photo

SMALLEST, OF_INPUT = 32, 4
"""Pixels of the shorter side; or a part of what a backbone takes in, which shows each pixel as a square."""
LONGEST = 3.0
"""Times as long as wide: the square that backbones look at then holds less than a third."""


def find_poor(photos: Sequence[Photo], looks: Sequence[Look], input_side: int | None = None) -> list[Finding]:
    """One finding for each such picture; of one that is several of them, the first."""
    smallest = max(SMALLEST, 0 if input_side is None else input_side // OF_INPUT)
    pairs = ((photo, _poor(photo, look, smallest)) for photo, look in zip(photos, looks, strict=True))
    return [finding for _, finding in pairs if finding is not None]


def _poor(photo: Photo, look: Look, smallest: int) -> Finding | None:
    size = f"{photo.name}: {look.width} x {look.height} pixels"
    if look.is_flat:
        return Finding(UNIFORM, f"{photo.name}: nearly one colour", (photo,))
    if min(look.width, look.height) < smallest:
        return Finding(TINY, f"{size}, fewer than {smallest} on a side", (photo,))
    if max(look.width, look.height) > LONGEST * min(look.width, look.height):
        return Finding(ASPECT, f"{size}: the square that a backbone looks at holds a part of it", (photo,))
    return None
