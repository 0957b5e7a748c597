"""Numbers as 1, 2 or 4 bits each: a codebook of 2, 4 or 16 values per tensor, found by k-means.

A codebook fits the numbers, unlike the even steps of int8 and int4, and its values are exact in fp16:
a tensor that already consists of at most 2^bits fp16 values is stored without any loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from promptlet.errors import OptionError, PromptFileError
from promptlet.session import own_numbers

Array = npt.NDArray[Any]

KMEANS = {"kmeans1": 1, "kmeans2": 2, "kmeans4": 4}  # precision, which is also the stored tensor's name: bits
MAX_ROUNDS = 100
LARGEST_HALF = 65504.0  # what fp16 holds


@own_numbers()
def cluster(values: Array, bits: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """The codebook (2^bits,) of ``values`` and the code of each, in the shape of ``values``.

    The codebook holds fp16 numbers, ascending, the last one repeated where fewer are needed. Codes are
    those of the nearest entry, the lower one on a tie. The same values give the same answer.
    """
    if bits not in KMEANS.values():
        raise OptionError(f"bits={bits!r} is not allowed; give 1, 2 or 4")
    x = np.asarray(values, np.float64)
    if not x.size or not np.abs(x).max() <= LARGEST_HALF:
        raise PromptFileError("k-means needs one or more finite numbers within fp16 (65,504): save as fp32")
    centers = _centers(x.ravel(), 2**bits)
    book = np.unique(centers.astype(np.float16)).astype(np.float64) + 0.0  # no -0.0
    codes = np.searchsorted(_midpoints(book), x, side="left")
    used = np.unique(codes)
    book, codes = book[used], np.searchsorted(used, codes)
    padded = np.concatenate([book, np.repeat(book[-1], 2**bits - len(book))])
    return padded.astype(np.float32), codes.astype(np.uint8)


def to_kmeans(tensors: Mapping[str, Array], bits: int) -> Array:
    """One array of bytes: the codebooks (tensors, 2^bits) as fp16, then all codes; tensors by name."""
    pairs = [cluster(tensors[name], bits) for name in sorted(tensors)]
    books = np.stack([book for book, _ in pairs]).astype("<f2")
    codes = np.concatenate([codes.ravel() for _, codes in pairs])
    return np.concatenate([np.frombuffer(books.tobytes(), "u1"), pack_codes(codes, bits)])


def kmeans_bytes(shapes: Mapping[str, tuple[int, ...]], bits: int) -> int:
    """The length of what `to_kmeans` makes of tensors of these shapes."""
    count = sum(math.prod(shape) for shape in shapes.values())
    return 2 * len(shapes) * (1 << bits) + (count * bits + 7) // 8


def from_kmeans(data: Array, shapes: Mapping[str, tuple[int, ...]], bits: int) -> dict[str, Array]:
    """The float32 tensors that `to_kmeans` stored; ``data`` must have `kmeans_bytes`."""
    end = 2 * len(shapes) * 2**bits
    books = np.frombuffer(data[:end].tobytes(), "<f2").reshape(len(shapes), 2**bits).astype(np.float32)
    if not np.isfinite(books).all() or (np.diff(books) < 0).any():
        raise PromptFileError("its codebooks must be finite and ascending: damaged; copy it again")
    codes = unpack_codes(data[end:], bits, sum(math.prod(shape) for shape in shapes.values()))
    tensors, begin = {}, 0
    for book, name in zip(books, sorted(shapes), strict=True):
        size = math.prod(shapes[name])
        tensors[name] = book[codes[begin : begin + size]].reshape(shapes[name])
        begin += size
    return tensors


def pack_codes(codes: Array, bits: int) -> Array:
    """Codes (n,) as bytes: code i of a byte from bit i x bits on; unused bits are 0."""
    padded = np.zeros(-(-len(codes) * bits // 8) * (8 // bits), np.uint8)
    padded[: len(codes)] = codes
    packed: Array = np.bitwise_or.reduce(padded.reshape(-1, 8 // bits) << _shifts(bits), axis=1)
    return packed


def unpack_codes(data: Array, bits: int, count: int) -> Array:
    """The ``count`` codes that `pack_codes` packed; unused last bits must be 0."""
    codes: Array = ((data[:, None] >> _shifts(bits)) & (2**bits - 1)).ravel()
    if codes[count:].any():
        raise PromptFileError("unused last bits are not 0")
    return codes[:count]


def _centers(x: Array, count: int) -> Array:
    """Lloyd's algorithm on the line: clusters are stretches of the sorted numbers."""
    ordered = np.sort(x)
    distinct = np.unique(ordered)
    if len(distinct) <= count:
        return distinct
    centers = distinct[(2 * np.arange(count) + 1) * len(distinct) // (2 * count)]  # evenly spaced quantiles
    totals = np.concatenate([[0.0], np.cumsum(ordered)])
    edges = np.zeros(count + 1, np.int64)
    for _ in range(MAX_ROUNDS):
        inner = np.searchsorted(ordered, _midpoints(centers), side="right")
        new = np.concatenate([[0], inner, [len(ordered)]])
        if np.array_equal(new, edges):
            break
        edges = new
        sizes = np.diff(edges)
        centers = np.where(sizes > 0, np.diff(totals[edges]) / np.maximum(sizes, 1), centers)
    clipped: Array = np.clip(centers, ordered[0], ordered[-1])  # rounding in totals may lead outside
    return clipped


def _midpoints(ascending: Array) -> Array:
    middle: Array = (ascending[:-1] + ascending[1:]) / 2
    return middle


def _shifts(bits: int) -> Array:
    return np.arange(0, 8, bits, dtype=np.uint8)
