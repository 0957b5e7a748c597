"""Pictures read and hashed, some way ahead, in portions of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from promptlet.data.images.opening import (
    ImageSource,
    check_openable,
    hashes_of_work,
    raise_together,
    read_and_hash,
)
from promptlet.decoding.ahead import in_order
from promptlet.errors import ImageError

PORTION = 256
PORTION_BYTES = 64 << 20
"""Of files, as many are read ahead, and are in a portion."""


@dataclass(frozen=True)
class Read:
    """A picture: its ``place`` among all, its content hash, and where to decode it from, which is a small
    file's bytes."""

    place: int
    content: str
    source: ImageSource


def check_all(pool: ThreadPoolExecutor, sources: Sequence[ImageSource]) -> list[int]:
    """Bytes of each file, 0 for what is none, or was hashed before.

    Raises ImageError for all that cannot be opened together.
    """
    known = hashes_of_work() or {}

    def look(source: ImageSource) -> int:
        is_known = isinstance(source, str | Path) and str(source) in known
        return 0 if is_known else check_openable(source)

    sizes: list[int] = []
    errors: list[ImageError] = []
    for _, future in in_order(pool, look, sources, PORTION):
        try:
            sizes.append(future.result())
        except ImageError as error:
            errors.append(error)
    raise_together(errors)
    return sizes


def read_ahead(
    pool: ThreadPoolExecutor, sources: Sequence[ImageSource], sizes: Sequence[int], errors: list[ImageError]
) -> Iterator[list[Read]]:
    """Portions of pictures, in order. What cannot be read is left out, and told in ``errors``."""
    known = hashes_of_work()

    def read(place: int) -> Read:
        return Read(place, *read_and_hash(sources[place], known))

    portion: list[Read] = []
    held = 0
    for place, future in in_order(
        pool, read, range(len(sources)), PORTION, PORTION_BYTES, lambda place: sizes[place]
    ):
        if len(portion) == PORTION or (portion and held + sizes[place] > PORTION_BYTES):
            yield portion
            portion, held = [], 0
        held += sizes[place]
        try:
            portion.append(future.result())
        except ImageError as error:
            errors.append(error)
    yield portion
