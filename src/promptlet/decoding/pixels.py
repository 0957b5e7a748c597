"""One view of a picture, as pixel values, and batches of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np

from promptlet.data.images.opening import MAX_PIXELS, ImageSource, image_in_turn, reduced_in_turn
from promptlet.data.images.reading import named
from promptlet.data.images.reduced import whole
from promptlet.decoding.ahead import in_order
from promptlet.errors import ImageError
from promptlet.preprocessing.spec import ImageSpec
from promptlet.preprocessing.views import factor_of, pixels_of

AHEAD = 2
"""Batches that are decoded or being decoded, with the one that is taken."""


class View(NamedTuple):
    """Which view of which picture: where it is decoded from, what it is called, its content hash, and the
    view's number."""

    source: ImageSource
    name: str
    content: str
    view: int


def decode(wanted: View, spec: ImageSpec, is_reduced: bool, most_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Pixel values (3, H, W), float32. is_reduced: whether a large JPEG is decoded smaller. most_pixels: a
    file with more is refused by its header.

    Raises ImageError.
    """
    source, name, content, view = wanted
    if is_reduced:
        factor = lambda width, height: factor_of(width, height, spec, content, view)  # noqa: E731
        with reduced_in_turn(source, factor, name, most_pixels) as picture, named(name):
            return pixels_of(picture, spec, content, view)
    with image_in_turn(source, name, most_pixels) as image, named(name):
        return pixels_of(whole(image), spec, content, view)


def batches(
    pool: ThreadPoolExecutor,
    views: Iterable[View],
    spec: ImageSpec,
    most: int,
    is_reduced: bool,
    errors: list[ImageError],
) -> Iterator[tuple[list[View], np.ndarray]]:
    """Views and their pixel values (B, 3, H, W), B <= ``most``, decoded `AHEAD` batches ahead.

    A batch in which sizes differ comes in parts of one size each. Pictures that cannot be decoded are left
    out, and told in ``errors``.
    """
    decoded = in_order(pool, lambda view: decode(view, spec, is_reduced), views, AHEAD * most)
    while batch := list(islice(decoded, most)):
        yield from _by_size(batch, errors)


def _by_size(
    batch: list[tuple[View, Future[np.ndarray]]], errors: list[ImageError]
) -> Iterator[tuple[list[View], np.ndarray]]:
    by_size: dict[tuple[int, ...], list[tuple[View, np.ndarray]]] = {}
    for view, future in batch:
        try:
            pixels = future.result()
        except ImageError as error:
            errors.append(error)
            continue
        by_size.setdefault(pixels.shape, []).append((view, pixels))
    batch.clear()
    while by_size:
        _, same = by_size.popitem()
        views, stacked = [view for view, _ in same], np.stack([pixels for _, pixels in same])
        same.clear()  # nobody needs them twice
        yield views, stacked
