"""From a picture to the numbers a backbone reads: the model's own resize, crop and normalisation, and views.

View 0 is the model's test-time preprocessing. Views 1, 2, ... are CoOp's training augmentation (random
resized crop, scale 0.08 to 1, aspect 3/4 to 4/3, bicubic; horizontal flip with probability 1/2), and views
1,000,001, ... Tip-Adapter's (scale 0.5 to 1). They are drawn from the image's content and the view's number,
so that a view is the same whenever and wherever it is made.

Models that read patches (SigLIP 2 NaFlex) get view 0 in the picture's own aspect, so that its size varies.
Their augmented views are squares, as every model's are: the largest square that has no more patches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from promptlet import rng
from promptlet.data.images.pixels import Box
from promptlet.data.images.reduced import FACTORS, Reduced
from promptlet.preprocessing.resize import resized, resized_part, resized_reduced
from promptlet.preprocessing.spec import ImageSpec
from promptlet.views import least_share

SAFETY = 3
"""Pixels of a JPEG decoded smaller for each pixel, along a side, of what is made of it."""


@dataclass(frozen=True)
class Cut:
    """What of a picture is read: ``box`` of it, or all, becomes ``size`` (width, height); ``crop`` of that is
    kept, or all, mirrored or not. Boxes are (left, top, right, bottom)."""

    box: Box | None
    size: tuple[int, int]
    crop: Box | None
    is_mirrored: bool = False


def cut_of(width: int, height: int, spec: ImageSpec, content: str, view: int) -> Cut:
    """View ``view`` of a picture of so many pixels, whose content hash is ``content``."""
    if view == 0:
        size = _resized_size(width, height, spec)
        crop = None if spec.crop is None else _centre_box(size, spec.crop, spec.crop_rounding)
        return Cut(None, size, crop)
    draw = rng.generator(f"view/{content}", view)
    box = _random_box(width, height, draw, least_share(view))
    return Cut(box, spec.output_size[::-1], None, bool(draw.random() < 0.5))


def pixels_of(picture: Reduced, spec: ImageSpec, content: str, view: int) -> np.ndarray:
    """View ``view`` >= 0 of a picture of 8 bits whose content hash is ``content``: float32 (3, H, W). All its
    pixels are there, or a JPEG's lower frequencies alone."""
    cut = cut_of(picture.width, picture.height, spec, content, view)
    if picture.factor > 1:
        image = resized_reduced(picture, cut.size, spec.resample, cut.box)
        image = image if cut.crop is None else image.crop(cut.crop)
    elif cut.crop is not None:
        image = resized_part(picture.image, cut.size, spec.resample, cut.crop)
    else:
        image = resized(picture.image, cut.size, spec.resample, cut.box)
    if cut.is_mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return normalised(image, spec)


def factor_of(width: int, height: int, spec: ImageSpec, content: str, view: int) -> int:
    """By how much a JPEG of so many pixels may be decoded smaller for this view: 1, 2, 4 or 8, so that
    `SAFETY` pixels or more are left for each that is made of them, along both sides.

    Test pictures (drawn, photos of Caltech101 side by side, or enlarged with noise) then differ by up to 0.7
    levels of 256 in the mean and by 10 at most, and features' cosines are 0.999 and above
    (`benchmarks/results/reduced-decoding.json`).
    """
    cut = cut_of(width, height, spec, content, view)
    left, top, right, bottom = cut.box or (0, 0, width, height)
    spare = min((right - left) / cut.size[0], (bottom - top) / cut.size[1]) / SAFETY
    return next((factor for factor in FACTORS if factor <= spare), 1)


def _random_box(width: int, height: int, draw: np.random.Generator, least: float) -> Box:
    """A box of ``least`` (0.08: 8 %) to all of the area, aspect 3/4 to 4/3; as much of the image's centre
    as has such an aspect if ten draws do not fit, as in torchvision's RandomResizedCrop."""
    for _ in range(10):
        area = width * height * draw.uniform(least, 1.0)
        aspect = math.exp(draw.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left = int(draw.integers(0, width - w + 1))
            top = int(draw.integers(0, height - h + 1))
            return left, top, left + w, top + h
    w, h = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def _resized_size(width: int, height: int, spec: ImageSpec) -> tuple[int, int]:
    """(width, height) of such a picture before the crop."""
    if spec.resize == "none":
        return width, height
    if spec.patch_size is not None and spec.max_patches is not None:
        rows, columns = patch_grid(height, width, spec.patch_size, spec.max_patches)
        return columns * spec.patch_size, rows * spec.patch_size
    if spec.resize == "shortest":
        short = spec.size[0]
        if width <= height:
            return short, int(short * height / width)
        return int(short * width / height), short
    return spec.size[1], spec.size[0]


def patch_grid(height: int, width: int, patch_size: int, max_patches: int) -> tuple[int, int]:
    """(rows, columns) of patches for a picture: both sides by one factor, then up to whole patches.

    The factor is the largest that keeps to ``max_patches``, bisected between 1e-6 and 100 down to 1e-5 as in
    transformers: where a side falls right on a patch's edge, the rounding decides, so it must be the same.
    """

    def grid(factor: float) -> tuple[int, int]:
        rows, columns = (max(1, math.ceil(side * factor / patch_size)) for side in (height, width))
        return rows, columns

    low, high = 1e-6, 100.0
    while high - low >= 1e-5:
        middle = (low + high) / 2
        low, high = (middle, high) if math.prod(grid(middle)) <= max_patches else (low, middle)
    return grid(low)


def _centre_box(size: tuple[int, int], crop: tuple[int, int], rounding: str) -> Box:
    """Of a picture of ``size`` (width, height); where it is smaller than the crop, the box reaches beyond it,
    and what lies there is black, as in both libraries."""
    height, width = crop
    top, left = (size[1] - height) / 2, (size[0] - width) / 2
    if rounding == "nearest":
        top, left = round(top), round(left)
    top, left = math.floor(top), math.floor(left)
    return left, top, left + width, top + height


def normalised(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    """Channel by channel and in place: three numbers beside each other are slow to calculate with."""
    pixels: np.ndarray = np.asarray(image).transpose(2, 0, 1).astype(np.float32, order="C")
    pixels *= np.float32(spec.scale)
    pixels -= np.asarray(spec.mean, np.float32)[:, None, None]
    pixels /= np.asarray(spec.std, np.float32)[:, None, None]
    return pixels
