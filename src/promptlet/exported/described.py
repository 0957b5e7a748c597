"""Preprocessing as plain values that any language reads, and back."""

from __future__ import annotations

from typing import Any

from PIL.Image import Resampling

from promptlet.exported.fields import Fields, is_number
from promptlet.preprocessing.settings import (
    CHANNELS,
    LEAST_DEVIATION,
    MOST_DEVIATION,
    MOST_MEAN,
    MOST_PATCHES,
    MOST_SIDE,
)
from promptlet.preprocessing.spec import ImageSpec

RESIZES = ("shortest", "exact", "patches", "none")
ROUNDINGS = ("down", "nearest")
FILTERS = {one.name.lower(): int(one) for one in Resampling}
SCALES = (1e-6, 1e3)


def described(spec: ImageSpec) -> dict[str, Any]:
    """The preprocessing as plain values, sizes as [height, width]."""
    words = {number: name for name, number in FILTERS.items()}
    return {
        "resize": spec.resize,
        "size": list(spec.size),
        "filter": words[spec.resample],
        "crop": None if spec.crop is None else list(spec.crop),
        "crop_rounding": spec.crop_rounding,
        "patch_size": spec.patch_size,
        "max_patches": spec.max_patches,
        "scale": spec.scale,
        "mean": list(spec.mean),
        "std": list(spec.std),
    }


def spec_of(fields: Fields) -> ImageSpec:
    """The preprocessing that `described` gave. Raises ExportError naming what is wrong."""
    resize = fields.choice("resize", RESIZES)
    is_cropped = fields.optional("crop")
    has_patches = resize == "patches"
    spec = ImageSpec(
        resize=resize,
        size=_sides(fields, "size"),
        crop=_sides(fields, "crop") if is_cropped else None,
        resample=FILTERS[fields.choice("filter", tuple(FILTERS))],
        mean=_channels(fields, "mean", -MOST_MEAN, MOST_MEAN),
        std=_channels(fields, "std", LEAST_DEVIATION, MOST_DEVIATION),
        scale=fields.number("scale", *SCALES),
        crop_rounding=fields.choice("crop_rounding", ROUNDINGS),
        patch_size=_of_patches(fields, "patch_size", has_patches, MOST_SIDE),
        max_patches=_of_patches(fields, "max_patches", has_patches, MOST_PATCHES),
    )
    fields.end()
    if resize in ("shortest", "none") and spec.crop is None:
        fields.wrong("crop", f"[height, width] where resize is {resize!r}", None)
    return spec


def _of_patches(fields: Fields, field: str, is_there: bool, most: int) -> int | None:
    if is_there:
        return fields.whole(field, most)
    if fields.take(field) is not None:
        fields.wrong(field, "null where resize is not 'patches'", "a value")
    return None


def _sides(fields: Fields, field: str) -> tuple[int, int]:
    value = fields.items(field, 2)
    if len(value) != 2 or not all(type(side) is int and 1 <= side <= MOST_SIDE for side in value):
        fields.wrong(field, f"[height, width] of 1 to {MOST_SIDE:,} pixels", value)
    height, width = value
    return height, width


def _channels(fields: Fields, field: str, least: float, most: float) -> tuple[float, ...]:
    value = fields.items(field, CHANNELS)
    if len(value) != CHANNELS or not all(is_number(one) and least <= one <= most for one in value):
        fields.wrong(field, f"{CHANNELS} numbers from {least:g} to {most:g}", value)
    return tuple(float(one) for one in value)
