"""From a picture to the numbers a backbone reads: the model's own resize, crop and normalisation, and views.

View 0 is the model's test-time preprocessing. Views 1, 2, ... are CoOp's training augmentation (random
resized crop, scale 0.08 to 1, aspect 3/4 to 4/3, bicubic; horizontal flip with probability 1/2), drawn from
the image's content and the view's number, so that a view is the same whenever and wherever it is made.

Models that read patches (SigLIP 2 NaFlex) get view 0 in the picture's own aspect, so that its size varies.
Their augmented views are squares, as every model's are: the largest square that has no more patches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from promptlet import rng
from promptlet.backbones.image.resize import resized, resized_part, resized_reduced
from promptlet.backbones.image.settings import CHANNELS, MOST_PATCHES, MOST_SIDE, Settings
from promptlet.data.images.pixels import Box
from promptlet.data.images.reduced import FACTORS, Reduced
from promptlet.errors import BackboneError

INTERPOLATIONS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "random": Image.Resampling.BICUBIC,
}
RESIZE_MODES = ("shortest", "squash", "longest")
LEAST_SCALE, MOST_SCALE = 1e-6, 1e3
SAFETY = 3
"""Pixels of a JPEG decoded smaller for each pixel, along a side, of what is made of it."""


@dataclass(frozen=True)
class ImageSpec:
    """Preprocessing of one backbone. Sizes are (height, width) in pixels.

    resize: "shortest" (short side to ``size[0]``, aspect kept), "exact" (to ``size``), "patches" (to at most
        ``max_patches`` whole patches of ``patch_size`` pixels, aspect nearly kept) or "none";
    crop: centre crop, or None; half pixels are rounded "down" (transformers) or "nearest" (open_clip).
    """

    resize: str
    size: tuple[int, int]
    crop: tuple[int, int] | None
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255
    crop_rounding: str = "down"
    patch_size: int | None = None
    max_patches: int | None = None

    @property
    def output_size(self) -> tuple[int, int]:
        """(height, width) of the tensor the model gets; with "patches", of augmented views alone."""
        return self.crop or self.size

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the fingerprint; patches where there are any."""
        absent = () if self.resize == "patches" else ("patch_size", "max_patches")
        return {name: value for name, value in asdict(self).items() if name not in absent}


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
    box = _random_box(width, height, draw)
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


def _random_box(width: int, height: int, draw: np.random.Generator) -> Box:
    """A box of 8 to 100 % of the area, aspect 3/4 to 4/3; the image's centre if ten draws do not fit."""
    for _ in range(10):
        area = width * height * draw.uniform(0.08, 1.0)
        aspect = math.exp(draw.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left = int(draw.integers(0, width - w + 1))
            top = int(draw.integers(0, height - h + 1))
            return left, top, left + w, top + h
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


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


def spec_from_transformers(settings: Mapping[str, Any], source: str) -> ImageSpec:
    """Read an image processor's settings (preprocessor_config.json).

    Raises BackboneError naming the field that is absent, wrong or not supported.
    """
    read = Settings(settings, f"the image preprocessor of {source!r} (preprocessor_config.json)")
    for step in ("do_pad", "do_flip_channel_order", "rescale_offset"):
        if read.flag(step, absent=False, null=False):
            raise BackboneError(f"{read.where} has {step}, which is not supported")
    mean, std = read.means("image_mean"), read.deviations("image_std")
    if not read.flag("do_normalize", absent=True):
        mean, std = (0.0,) * CHANNELS, (1.0,) * CHANNELS
    scale = read.number("rescale_factor", 1 / 255, LEAST_SCALE, MOST_SCALE)
    scale = scale if read.flag("do_rescale", absent=True) else 1.0
    if "max_num_patches" in settings:
        return _patches_spec(read, mean, std, scale)
    resize, resize_to = read.size("size")
    crop = None
    crops = settings.get("crop_size") is not None
    if read.flag("do_center_crop", absent=crops, null=False):
        _, crop = read.size("crop_size" if crops else "size")
    elif isinstance(settings["size"], int):
        resize = "exact"
    if not read.flag("do_resize", absent=True):
        resize = "none"
    if crop is None and resize != "exact":
        raise BackboneError(
            f"{read.where} makes images of different sizes (it neither crops nor resizes to height and "
            "width), which is not supported"
        )
    return ImageSpec(resize, resize_to, crop, read.resample(Image.Resampling.BICUBIC), mean, std, scale)


def _patches_spec(read: Settings, mean: tuple[float, ...], std: tuple[float, ...], scale: float) -> ImageSpec:
    patch, most = read.whole("patch_size", MOST_SIDE), read.whole("max_num_patches", MOST_PATCHES)
    if not read.flag("do_resize", absent=True):
        raise BackboneError(
            f"{read.where} cuts images into patches without fitting them to whole patches, which is not "
            "supported; set do_resize to true"
        )
    side = math.isqrt(most) * patch
    resample = read.resample(Image.Resampling.BILINEAR)
    return ImageSpec(
        "patches", (side, side), None, resample, mean, std, scale, patch_size=patch, max_patches=most
    )


def spec_from_open_clip(settings: Mapping[str, Any], source: str) -> ImageSpec:
    """Read open_clip's preprocessing configuration (`PreprocessCfg` as a dict).

    Raises BackboneError naming the field that is wrong or not supported.
    """
    read = Settings(settings, f"the image preprocessing of {source!r} (preprocess_cfg)")
    height, width = read.sides("size")
    mode = read.choice("resize_mode", "shortest", RESIZE_MODES)
    resample = int(INTERPOLATIONS[read.choice("interpolation", "bicubic", tuple(INTERPOLATIONS))])
    mean, std = read.means("mean"), read.deviations("std")
    if mode == "shortest" and height == width:
        return ImageSpec(
            "shortest", (height, width), (height, width), resample, mean, std, crop_rounding="nearest"
        )
    if mode == "squash":
        return ImageSpec("exact", (height, width), None, resample, mean, std)
    raise BackboneError(
        f"{source!r} preprocesses images with resize_mode={mode!r} to {height}x{width}, which is not "
        "supported; supported: shortest (square) and squash"
    )
