"""The preprocessing that transformers and open_clip describe in a model's settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from PIL import Image

from promptlet.errors import BackboneError
from promptlet.preprocessing.settings import CHANNELS, MOST_PATCHES, MOST_SIDE, Settings
from promptlet.preprocessing.spec import ImageSpec

INTERPOLATIONS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "random": Image.Resampling.BICUBIC,
}
RESIZE_MODES = ("shortest", "squash", "longest")
LEAST_SCALE, MOST_SCALE = 1e-6, 1e3


def spec_from_transformers(settings: Mapping[str, Any], source: str) -> ImageSpec:
    """Read an image processor's settings (preprocessor_config.json).

    Raises BackboneError naming the field that is absent, wrong or not supported.
    """
    read = Settings(settings, f"the image preprocessor of {source!r} (preprocessor_config.json)")
    for step in ("do_pad", "do_flip_channel_order"):
        if read.flag(step, absent=False, null=False):
            raise BackboneError(f"{read.where} has {step}, which is not supported")
    mean, std = read.means("image_mean"), read.deviations("image_std")
    if not read.flag("do_normalize", absent=True):
        mean, std = (0.0,) * CHANNELS, (1.0,) * CHANNELS
    scale = read.number("rescale_factor", 1 / 255, LEAST_SCALE, MOST_SCALE)
    scale = scale if read.flag("do_rescale", absent=True) else 1.0
    mean, std = _of_efficientnet(read, mean, std)
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


def _of_efficientnet(
    read: Settings, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Two steps of EfficientNet's image processor, which ALIGN has, as a mean and a deviation: one is taken
    from scaled numbers (``rescale_offset``), and at the end all is divided by ``image_std`` once more
    (``include_top``)."""
    if read.flag("do_rescale", absent=True) and read.flag("rescale_offset", absent=False, null=False):
        mean = tuple(one + 1 for one in mean)
    its_own = "EfficientNet" in str(read.fields.get("image_processor_type"))
    if its_own and read.flag("include_top", absent=True, null=False):
        std = tuple(one * again for one, again in zip(std, read.deviations("image_std"), strict=True))
    return mean, std


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
