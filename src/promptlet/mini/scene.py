"""From a subject to a picture: background, pose, clutter, occlusion, lighting and noise, by style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from promptlet.mini.palette import COLOURS, Colour, lighter, mix, near
from promptlet.mini.pen import (
    CANVAS,
    INK,
    PAPER,
    SIZE,
    Pen,
    ellipse_points,
    finished,
    new_canvas,
    star_points,
)

Range = tuple[float, float]
Look = Callable[[Image.Image, np.random.Generator], Image.Image]


class Family(Protocol):
    """What a module of `promptlet.mini.families` offers: a kind of things, drawn from a spec."""

    FULL_FRAME: bool
    FLIPS: bool
    TEMPLATE: str
    CLASSES: dict[str, Any]
    sample: Callable[[np.random.Generator], Any]
    caption: Callable[[Any, np.random.Generator], str]
    draw: Callable[[Pen, Any, np.random.Generator], None]


@dataclass(frozen=True)
class Style:
    """How a picture is taken. Ranges are uniform; chances are between 0 and 1."""

    scale: Range = (0.6, 0.95)  # of the subject; 1 fills the frame
    rotation: float = 14.0  # degrees to both sides
    shift: float = 0.18  # of the subject's centre, in unit coordinates
    clutter: tuple[int, int] = (0, 3)  # small shapes behind the subject
    occlusion: float = 0.2  # chance of a shape before the subject
    plain: float = 0.1  # chance of a plain ground
    light: float = 0.25  # brightness and contrast, to both sides
    noise: float = 12.0  # largest standard deviation, of 255
    saturation: Range = (0.7, 1.1)
    sketch: float = 0.0  # chance of a line drawing
    rendition: float = 0.0  # chance of a picture made by other means (`RENDITIONS`)
    look: Look | None = None  # what lies between the subject and the camera


STYLES: dict[str, Style] = {
    "photo": Style(),
    "sketch": Style(
        clutter=(0, 0), occlusion=0.0, plain=1.0, light=0.1, noise=6.0, saturation=(0.0, 0.3), sketch=1.0
    ),
    "hard": Style(
        scale=(0.4, 0.7), rotation=35.0, shift=0.35, clutter=(3, 7), occlusion=0.6, light=0.45, noise=24.0
    ),
    "rendition": Style(clutter=(0, 1), occlusion=0.05, plain=0.5, rendition=1.0),
    # Pictures with captions, from which the mini backbone learned: cleaner and more colourful than "photo".
    "web": Style(
        scale=(0.65, 1.0),
        rotation=9.0,
        shift=0.12,
        clutter=(0, 1),
        occlusion=0.05,
        plain=0.5,
        light=0.15,
        noise=6.0,
        saturation=(0.9, 1.3),
        sketch=0.08,
        rendition=0.08,
    ),
}


def picture(family: Family, spec: Any, rng: np.random.Generator, style: Style) -> Image.Image:
    """One 64 x 64 RGB picture of ``spec``; the same ``rng`` state gives the same picture."""
    sketch = bool(rng.random() < style.sketch)
    canvas = new_canvas() if sketch else _ground(rng, style)
    pen = Pen(canvas, sketch)
    flip = -1 if family.FLIPS and rng.random() < 0.5 else 1
    if family.FULL_FRAME:
        zoom = rng.uniform(1.0, 1.25)
        with pen.moved(scale=(flip * zoom, zoom), angle=rng.uniform(-0.4, 0.4) * style.rotation):
            family.draw(pen, spec, rng)
    else:
        _clutter(pen, rng, style)
        size, aspect = rng.uniform(*style.scale), rng.uniform(0.9, 1.1)
        x, y = rng.uniform(-style.shift, style.shift, 2)
        angle, shear = rng.uniform(-style.rotation, style.rotation), rng.uniform(-0.12, 0.12)
        with pen.moved(x, y, (flip * size * aspect, size / aspect), angle, shear):
            family.draw(pen, spec, rng)
    if rng.random() < style.occlusion:
        _occluder(pen, rng)
    return _taken(finished(canvas), rng, style)


def _ground(rng: np.random.Generator, style: Style) -> Image.Image:
    """What is behind the subject: plain, a gradient, a floor and a wall, or soft blotches."""
    first, second = _ground_colour(rng), _ground_colour(rng)
    if rng.random() < style.plain:
        return new_canvas(lighter(first, 0.5))
    kind = rng.integers(3)
    if kind == 0:  # a gradient
        field = np.linspace(0, 1, 8)[:, None] * np.ones((8, 8))
    elif kind == 1:  # a floor and a wall
        field = np.ones((24, 8)) * (np.arange(24)[:, None] > rng.integers(11, 19))
    else:  # soft blotches
        field = rng.random((6, 6))
    field = np.rot90(field, int(rng.integers(4))) if kind == 0 else field
    small = np.asarray(first) + field[..., None] * (np.asarray(second) - np.asarray(first))
    return Image.fromarray(small.astype(np.uint8)).resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)


def _ground_colour(rng: np.random.Generator) -> Colour:
    """A muted colour."""
    base = COLOURS[str(rng.choice([*COLOURS]))]
    return near(mix(base, (170, 165, 160), rng.uniform(0.35, 0.8)), rng, 10.0)


def _clutter(pen: Pen, rng: np.random.Generator, style: Style) -> None:
    """Small shapes of no meaning, mostly near the border."""
    low, high = style.clutter
    for _ in range(int(rng.integers(low, high + 1))):
        around, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 1.05)
        _shape(pen, float(np.cos(around) * far), float(np.sin(around) * far), rng.uniform(0.08, 0.26), rng)


def _occluder(pen: Pen, rng: np.random.Generator) -> None:
    """A shape that hides a part of the picture, from one side."""
    around = rng.uniform(0, 2 * np.pi)
    x, y = float(np.cos(around)) * 0.75, float(np.sin(around)) * 0.75
    _shape(pen, x, y, rng.uniform(0.25, 0.45), rng)


def _shape(pen: Pen, x: float, y: float, size: float, rng: np.random.Generator) -> None:
    colour = INK if pen.sketch else _ground_colour(rng)
    kind = rng.integers(3)
    if kind == 0:
        pen.polygon(ellipse_points(x, y, size, size * rng.uniform(0.5, 1.0), rng.uniform(0, 180)), colour)
    elif kind == 1:
        pen.rect(x, y, size * 1.6, size * rng.uniform(0.5, 1.6), colour, rng.uniform(0, 90))
    else:
        pen.polygon(star_points(x, y, size, size * rng.uniform(0.5, 0.9), int(rng.integers(3, 6))), colour)


def _taken(image: Image.Image, rng: np.random.Generator, style: Style) -> Image.Image:
    """The camera: rendition, look, saturation, light from one side, contrast, noise, focus."""
    if rng.random() < style.rendition:
        image = RENDITIONS[int(rng.integers(len(RENDITIONS)))](image)
    if style.look is not None:
        image = style.look(image, rng)
    image = ImageEnhance.Color(image).enhance(rng.uniform(*style.saturation))
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.7)))
    pixels = np.asarray(image, dtype=np.float32)
    gain, bias = 1 + rng.uniform(-style.light, style.light), 70 * rng.uniform(-style.light, style.light)
    slope = rng.uniform(-style.light, style.light, 2)
    axis = np.linspace(-1, 1, SIZE, dtype=np.float32)
    shade = 1 + slope[0] * axis[:, None] + slope[1] * axis[None, :]
    cast = 1 + rng.uniform(-0.3, 0.3, 3) * style.light
    pixels = ((pixels - 128) * gain + 128 + bias) * shade[..., None] * cast
    pixels += rng.normal(0, rng.uniform(0, style.noise), pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _mosaic(image: Image.Image) -> Image.Image:
    return image.resize((20, 20), Image.Resampling.BOX).resize((SIZE, SIZE), Image.Resampling.NEAREST)


def _poster(image: Image.Image) -> Image.Image:
    return ImageOps.posterize(image, 2)


def _painted(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.ModeFilter(5))


def _engraved(image: Image.Image) -> Image.Image:
    edges = ImageOps.invert(image.filter(ImageFilter.FIND_EDGES).convert("L")).convert("RGB")
    return Image.blend(image, edges, 0.6)


def _stamped(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(ImageOps.autocontrast(image.convert("L")), (70, 30, 60), PAPER)


RENDITIONS: tuple[Callable[[Image.Image], Image.Image], ...] = (
    _mosaic,
    _poster,
    _painted,
    _engraved,
    _stamped,
)
