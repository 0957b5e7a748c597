"""Resizing a picture in bounded memory, however long and thin it is.

Pillow resizes across first and down second, and then the crop throws away what it does not keep. Of a picture
of 1 x 100,000 pixels whose short side becomes 224, that is 224 x 22,400,000 pixels in between. Where what
lies in between is not above `MOST_PIXELS`, nothing is done otherwise than Pillow and the libraries do it.
Above, only what the crop keeps is made, or down goes before across: the same picture, to the rounding to
8 bits that lies between the two.

A large picture is not held a second time as RGB, nor is a large part of it: some rows at a time become RGB
and go across. The same picture, but for the same rounding where one in palette, grey or with alpha is more
than a third taller than wide: there Pillow may go down first.
"""

from __future__ import annotations

import math

from PIL import Image
from PIL.Image import Resampling

from promptlet.data.images.pixels import Box, as_rgb, strips
from promptlet.data.images.reduced import Reduced

MOST_PIXELS = 1 << 24
"""64 MiB of RGB, as Pillow keeps it."""
SUPPORT = {
    Resampling.NEAREST: 0.5,
    Resampling.BOX: 0.5,
    Resampling.BILINEAR: 1.0,
    Resampling.HAMMING: 1.0,
    Resampling.BICUBIC: 2.0,
    Resampling.LANCZOS: 3.0,
}
"""How far a filter reaches, in pixels of the larger of both pictures."""


def resized(image: Image.Image, size: tuple[int, int], resample: int, box: Box | None = None) -> Image.Image:
    """The picture, or ``box`` (left, top, right, bottom) of it, as RGB in ``size`` (width, height)."""
    left, top, right, bottom = box or (0, 0, *image.size)
    (width, height), kind = size, Resampling(resample)
    across_first, down_first = width * (bottom - top), (right - left) * height
    is_copied = box is not None or image.mode != "RGB"  # as RGB of its own, beside the picture
    if is_copied and (right - left) * (bottom - top) > MOST_PIXELS >= across_first:
        image = _narrowed(image, width, kind, (left, top, right, bottom))
    else:
        image = as_rgb(image if box is None else image.crop(box))
    if size == image.size:
        return image
    if across_first > MOST_PIXELS and down_first < across_first:
        image = image.resize((image.width, height), resample=kind)
    return image.resize(size, resample=kind)


def _narrowed(image: Image.Image, width: int, kind: Resampling, box: Box) -> Image.Image:
    """``box`` of a large picture as RGB, across in ``width`` pixels and down as it is: rows do not depend on
    each other, so that some at a time are made RGB."""
    narrow = Image.new("RGB", (width, box[3] - box[1]))
    for below, strip in strips(image, box):
        narrow.paste(as_rgb(strip).resize((width, strip.height), resample=kind), (0, below))
    return narrow


def resized_part(image: Image.Image, size: tuple[int, int], resample: int, box: Box) -> Image.Image:
    """``box`` (left, top, right, bottom) of the picture in ``size``; black where it reaches beyond."""
    if math.prod(size) <= MOST_PIXELS:
        return resized(image, size, resample).crop(box)
    left, top, right, bottom = box
    kept = max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1])
    part = _part_alone(image, size, Resampling(resample), kept)
    if kept == box:
        return part
    whole = Image.new("RGB", (right - left, bottom - top))
    whole.paste(part, (kept[0] - left, kept[1] - top))
    return whole


def resized_reduced(
    picture: Reduced, size: tuple[int, int], resample: int, box: Box | None = None
) -> Image.Image:
    """The same of a picture that was decoded smaller: ``box`` is in the pixels it had before."""
    across, down = (0, picture.width), (0, picture.height)
    if box is not None:
        across, down = (box[0], box[2]), (box[1], box[3])
    left, right = (picture.left + edge / picture.factor for edge in across)
    top, bottom = (picture.top + edge / picture.factor for edge in down)
    first = math.floor(left), math.floor(top)
    image = picture.image.crop((*first, math.ceil(right), math.ceil(bottom))) if box else picture.image
    first = first if box else (0, 0)
    inside = (left - first[0], top - first[1], right - first[0], bottom - first[1])
    return as_rgb(image).resize(size, resample=Resampling(resample), box=inside)


def _part_alone(image: Image.Image, size: tuple[int, int], kind: Resampling, box: Box) -> Image.Image:
    """``box`` of the picture in ``size``, made from the pixels that it depends on and no others."""
    across = _source(box[0], box[2], image.width, size[0], kind)
    down = _source(box[1], box[3], image.height, size[1], kind)
    cut = as_rgb(image.crop((across[0], down[0], across[1], down[1])))
    inside = (across[2] - across[0], down[2] - down[0], across[3] - across[0], down[3] - down[0])
    return cut.resize((box[2] - box[0], box[3] - box[1]), resample=kind, box=inside)


def _source(start: int, end: int, old: int, new: int, kind: Resampling) -> tuple[int, int, float, float]:
    """Along one side: the pixels that ``start`` to ``end`` depend on, first and one after the last, and where
    these lie themselves."""
    scale = old / new
    first, last = start * scale, min(end * scale, float(old))
    reach = SUPPORT[kind] * max(scale, 1.0) + 1.0
    return max(0, math.floor(first - reach)), min(old, math.ceil(last + reach)), first, last
