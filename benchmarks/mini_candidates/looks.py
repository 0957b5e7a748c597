"""Looks that were tried: a picture in, the same scene under another light or by another means out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from promptlet.mini.harder import NIGHT, PHOTO, PIXELS
from promptlet.mini.pen import SIZE
from promptlet.mini.scene import STYLES, Style

AXIS = np.linspace(-1, 1, SIZE)


def _levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.float64)


def _image(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def fog(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Soft, pale, and thicker towards one side."""
    soft = _levels(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.2))))
    slope = rng.uniform(-0.15, 0.15, 2)
    share = rng.uniform(0.6, 0.75) + slope[0] * AXIS[:, None] + slope[1] * AXIS[None, :]
    return _image(soft + share[..., None] * (np.array([208, 212, 216]) - soft))


def faded(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """An old print: little colour and contrast, yellowed, dark in the corners."""
    pale = _levels(ImageEnhance.Color(image).enhance(rng.uniform(0.25, 0.45)))
    corner = 1 - 0.28 * (AXIS[None, :] ** 2 + AXIS[:, None] ** 2)[..., None]
    return _image((pale * 0.55 + 85) * np.array([1.08, 0.98, 0.78]) * corner)


def underwater(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Green-blue, soft, and bent by ripples."""
    bend = rng.uniform(1.0, 2.0) * np.sin(AXIS * rng.uniform(6, 10) + rng.uniform(0, 6))
    rows = np.arange(SIZE)[:, None] + np.zeros(SIZE, int)
    columns = (np.arange(SIZE)[None, :] + bend[:, None]).round().astype(int).clip(0, SIZE - 1)
    soft = _levels(image.filter(ImageFilter.GaussianBlur(0.6)))[rows, columns]
    return _image(soft * np.array([0.42, 0.78, 0.8]) + np.array([5, 40, 55]))


def blueprint(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Of a line drawing: white lines on blue."""
    blue = (int(rng.integers(20, 45)), int(rng.integers(60, 95)), int(rng.integers(130, 175)))
    return ImageOps.colorize(image.convert("L"), (238, 244, 255), blue)


def thermal(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Lightness as heat: black, violet, orange, yellow."""
    stops = np.array([(10, 5, 40), (95, 15, 120), (215, 60, 70), (250, 165, 40), (252, 250, 190)])
    light = _levels(ImageOps.autocontrast(image.convert("L"))) / 255 * 4
    return _image(np.stack([np.interp(light, range(5), stops[:, c]) for c in range(3)], -1))


def negative(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Dark where it is light."""
    return ImageOps.invert(image)


def neon(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Bright outlines on black."""
    edges = ImageEnhance.Color(image.filter(ImageFilter.FIND_EDGES)).enhance(2.0)
    glow = _levels(edges.filter(ImageFilter.GaussianBlur(1.0)))
    return _image(_levels(edges) * 1.5 + glow * 1.2 + 8)


LOOKS: dict[str, Style] = {
    "night": NIGHT,
    "fog": replace(PHOTO, look=fog),
    "faded": replace(PHOTO, look=faded),
    "pixels": PIXELS,
    "underwater": replace(PHOTO, look=underwater),
    "far": replace(PHOTO, scale=(0.28, 0.4), shift=0.4),
    "blueprint": replace(STYLES["sketch"], saturation=(0.8, 1.1), look=blueprint),
    "thermal": replace(PHOTO, saturation=(0.9, 1.1), look=thermal),
    "negative": replace(PHOTO, look=negative),
    "neon": replace(PHOTO, look=neon),
    "sketch": STYLES["sketch"],
    "rendition": STYLES["rendition"],
}
KEEP_COLOURS = ("night", "fog", "pixels", "underwater", "far")
"""Looks under which a person still tells named colours; for families whose class names speak of them."""
