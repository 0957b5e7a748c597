"""Pictures that are drawn, the same everywhere: what an export is compared on, and its golden image."""

from __future__ import annotations

import numpy as np
from PIL import Image

from promptlet import rng
from promptlet.data.images.reduced import whole
from promptlet.preprocessing.spec import ImageSpec
from promptlet.preprocessing.views import pixels_of
from promptlet.runtime.arithmetic import Numbers

WAVES, BOXES = 4, 12
STEP = 8
"""Levels between two shades, so that a PNG of a picture stays small."""


def drawn_picture(number: int, size: tuple[int, int]) -> Image.Image:
    """Picture ``number`` of ``size`` (width, height): soft waves of colour, and boxes with hard edges."""
    width, height = size
    draw = rng.generator("export/picture", number)
    y, x = np.mgrid[0:height, 0:width] / max(size)
    levels = np.zeros((height, width, 3))
    for _ in range(WAVES):
        pace, turn, tint = draw.uniform(2, 24), draw.uniform(0, np.pi), draw.uniform(-1, 1, 3)
        levels += np.sin(pace * (x * np.cos(turn) + y * np.sin(turn)) + draw.uniform(0, 6))[..., None] * tint
    for _ in range(BOXES):
        left, top = draw.uniform(0, 0.9, 2) * size
        right, bottom = left + draw.uniform(0.05, 0.4) * width, top + draw.uniform(0.05, 0.4) * height
        levels[int(top) : int(bottom), int(left) : int(right)] = draw.uniform(-2, 2, 3)
    shades = np.clip(128 + 64 * levels, 0, 255) // STEP * STEP
    return Image.fromarray(shades.astype(np.uint8))


def sizes_of(spec: ImageSpec) -> tuple[tuple[int, int], ...]:
    """Sizes (width, height) that preprocessing treats in different ways, the golden image's first."""
    height, width = spec.size
    return (
        (width + width // 2, height + height // 7),
        (width + width // 9, 3 * height),
        (2 * width + 1, height // 2 + 3),
        (width // 3 + 1, height // 2 + 1),
        (width, height),
        (width + 5, 2 * height + 7),
    )


def drawn_pixels(spec: ImageSpec, count: int) -> Numbers:
    """Pixel values (count, 3, H, W) of as many pictures, of all these sizes."""
    sizes = sizes_of(spec)
    return np.stack([preprocessed(drawn_picture(i, sizes[i % len(sizes)]), spec) for i in range(count)])


def preprocessed(picture: Image.Image, spec: ImageSpec) -> Numbers:
    """Pixel values (3, H, W), as the library makes them."""
    return pixels_of(whole(picture), spec, "", 0)
