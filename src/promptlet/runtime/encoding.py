"""Pictures through the tower: decoded by threads some way ahead, as the library decodes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import islice

import numpy as np

from promptlet.data.images.opening import ImageSource, name_of, raise_together
from promptlet.decoding.ahead import decoders, in_order
from promptlet.decoding.pixels import AHEAD, View, decode
from promptlet.errors import ImageError
from promptlet.preprocessing.spec import ImageSpec
from promptlet.runtime.arithmetic import Numbers
from promptlet.runtime.graphs import ImageTower


def encoded(sources: Sequence[ImageSource], spec: ImageSpec, tower: ImageTower, most: int) -> Numbers:
    """Features (N, D) of pictures, ``most`` of them encoded at a time.

    Raises ImageError naming all that cannot be read or decoded, after the others were.
    """
    found = np.zeros((len(sources), tower.dim), np.float32)
    errors: list[ImageError] = []

    def pixels_of(row: int) -> np.ndarray:
        source = sources[row]
        return decode(View(source, name_of(source), "", 0), spec, is_reduced=False)

    with decoders() as pool:
        decoded = in_order(pool, pixels_of, range(len(sources)), AHEAD * most)
        while batch := list(islice(decoded, most)):
            for rows, pixels in _by_size(batch, errors):
                tower.check_pixels(pixels.shape[1:])
                found[rows] = tower.features(pixels)
    raise_together(errors)
    return found


def _by_size(
    batch: list[tuple[int, Future[np.ndarray]]], errors: list[ImageError]
) -> Iterator[tuple[list[int], Numbers]]:
    """Rows and their pixel values (B, 3, H, W), of one size each time."""
    by_size: dict[tuple[int, ...], tuple[list[int], list[np.ndarray]]] = {}
    for row, future in batch:
        try:
            pixels = future.result()
        except ImageError as error:
            errors.append(error)
            continue
        rows, same = by_size.setdefault(pixels.shape, ([], []))
        rows.append(row)
        same.append(pixels)
    batch.clear()
    for rows, same in by_size.values():
        yield rows, np.stack(same)
