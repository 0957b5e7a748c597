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
from promptlet.backbones.image.resize import Box, resized, resized_part
from promptlet.errors import BackboneError


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


def preprocess(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    """View 0 of an RGB image: float32 (3, H, W)."""
    size = _resized_size(image, spec)
    if spec.crop is not None:
        box = _centre_box(size, spec.crop, spec.crop_rounding)
        image = resized_part(image, size, spec.resample, box)
    else:
        image = resized(image, size, spec.resample)
    return _normalise(image, spec)


def augmented_view(image: Image.Image, spec: ImageSpec, content: str, view: int) -> np.ndarray:
    """View ``view`` >= 1 of an RGB image whose content hash is ``content``: float32 (3, H, W)."""
    draw = rng.generator(f"view/{content}", view)
    box = _random_box(image.width, image.height, draw)
    height, width = spec.output_size
    crop = resized(image.crop(box), (width, height), spec.resample)
    if draw.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _normalise(crop, spec)


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


def _resized_size(image: Image.Image, spec: ImageSpec) -> tuple[int, int]:
    """(width, height) before the crop."""
    if spec.resize == "none":
        return image.size
    height, width = spec.size
    if spec.resize == "shortest":
        short = height
        if image.width <= image.height:
            width, height = short, int(short * image.height / image.width)
        else:
            width, height = int(short * image.width / image.height), short
    if spec.patch_size is not None and spec.max_patches is not None:
        rows, columns = patch_grid(image.height, image.width, spec.patch_size, spec.max_patches)
        height, width = rows * spec.patch_size, columns * spec.patch_size
    return width, height


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


def _normalise(image: Image.Image, spec: ImageSpec) -> np.ndarray:
    pixels = np.asarray(image, dtype=np.float32) * np.float32(spec.scale)
    pixels = (pixels - np.asarray(spec.mean, np.float32)) / np.asarray(spec.std, np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def spec_from_transformers(settings: Mapping[str, Any], source: str) -> ImageSpec:
    """Read an image processor's settings (preprocessor_config.json)."""
    by_patches = "max_num_patches" in settings
    try:
        mean, std = tuple(settings["image_mean"]), tuple(settings["image_std"])
        size = settings["patch_size" if by_patches else "size"]
    except KeyError as error:
        raise BackboneError(
            f"the image preprocessor of {source!r} does not say {error}; supported are CLIP's and SigLIP's"
        ) from error
    for step in ("do_pad", "do_flip_channel_order", "rescale_offset"):
        if settings.get(step):
            raise BackboneError(f"the image preprocessor of {source!r} has {step}, which is not supported")
    if not settings.get("do_normalize", True):
        mean, std = (0.0,) * 3, (1.0,) * 3
    scale = float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0
    if by_patches:
        return _patches_spec(settings, mean, std, scale, source)
    resize, resize_to = _read_size(size, source)
    crop = None
    if settings.get("do_center_crop", "crop_size" in settings):
        _, crop = _read_size(settings.get("crop_size", size), source)
    elif isinstance(size, int):
        resize = "exact"
    if not settings.get("do_resize", True):
        resize = "none"
    if crop is None and resize != "exact":
        raise BackboneError(
            f"the image preprocessor of {source!r} makes images of different sizes (it neither crops nor "
            "resizes to height and width), which is not supported"
        )
    resample = int(settings.get("resample", Image.Resampling.BICUBIC))
    return ImageSpec(resize, resize_to, crop, resample, mean, std, scale)


def _patches_spec(
    settings: Mapping[str, Any], mean: tuple[float, ...], std: tuple[float, ...], scale: float, source: str
) -> ImageSpec:
    patch, most = int(settings["patch_size"]), int(settings["max_num_patches"])
    if min(patch, most) < 1 or not settings.get("do_resize", True):
        raise BackboneError(
            f"the image preprocessor of {source!r} cuts images into patches (patch_size={patch}, "
            f"max_num_patches={most}) without fitting them to whole patches, which is not supported; "
            "set do_resize to true and both numbers to 1 or more"
        )
    side = math.isqrt(most) * patch
    resample = int(settings.get("resample", Image.Resampling.BILINEAR))
    return ImageSpec(
        "patches", (side, side), None, resample, mean, std, scale, patch_size=patch, max_patches=most
    )


def _read_size(size: Any, source: str) -> tuple[str, tuple[int, int]]:
    if isinstance(size, int):
        return "shortest", (size, size)
    if "shortest_edge" in size:
        return "shortest", (int(size["shortest_edge"]),) * 2
    if "height" in size and "width" in size:
        return "exact", (int(size["height"]), int(size["width"]))
    raise BackboneError(
        f"the image preprocessor of {source!r} gives size={size!r}; expected shortest_edge "
        "or height and width"
    )


def spec_from_open_clip(settings: Mapping[str, Any], source: str) -> ImageSpec:
    """Read open_clip's preprocessing configuration (`PreprocessCfg` as a dict)."""
    size = settings["size"]
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    mode = settings.get("resize_mode", "shortest")
    resample = {
        "bicubic": Image.Resampling.BICUBIC,
        "bilinear": Image.Resampling.BILINEAR,
        "random": Image.Resampling.BICUBIC,
    }[settings.get("interpolation", "bicubic")]
    mean, std = tuple(settings["mean"]), tuple(settings["std"])
    if mode == "shortest" and height == width:
        return ImageSpec(
            "shortest", (height, width), (height, width), int(resample), mean, std, crop_rounding="nearest"
        )
    if mode == "squash":
        return ImageSpec("exact", (height, width), None, int(resample), mean, std)
    raise BackboneError(
        f"{source!r} preprocesses images with resize_mode={mode!r} to {height}x{width}, which is not "
        "supported; supported: shortest (square) and squash"
    )
