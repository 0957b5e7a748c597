"""How the learned numbers are stored: fp32, fp16, int8, int4, or kmeans1, kmeans2, kmeans4 (kmeans.py).

int8 and int4 are symmetric with one fp16 scale per factor, rounded up so that nothing overflows:
``x ~ scale * q`` with an error of at most ``scale / 2``. For int8 that is 0.4 % of the factor's
largest number (half of 1/127) and rarely visible. For int4 it is 7 % (half of 1/7): coarse. Use it
where every byte counts, after measuring accuracy with it. Format 1 packed int4 by the last two axes of a
factor, later formats pack each tensor as one row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from promptlet.errors import PromptFileError, did_you_mean
from promptlet.promptfile.kmeans import KMEANS, LARGEST_HALF, from_kmeans, kmeans_bytes, to_kmeans
from promptlet.promptfile.strict_json import shorten
from promptlet.session import own_numbers

Array = npt.NDArray[Any]

PRECISIONS = ("fp32", "fp16", "int8", "int4")  # of every format; KMEANS: since format 2
SCALE = "scale"  # the stored tensor of scales, in alphabetical order of the factors
LARGEST = {"int8": 127, "int4": 7}
MAX_PACKED = 2**25  # numbers that a file may pack: 128 MiB as float32
_OF_DTYPE = {"float32": "fp32", "float16": "fp16", "int8": "int8", "uint8": "int4"}


@own_numbers()
def to_stored(tensors: Mapping[str, Array], precision: str) -> dict[str, Array]:
    """Float32 tensors as the arrays that a file holds at ``precision``."""
    check_precision(precision)
    ordered = {name: tensors[name] for name in sorted(tensors)}
    _check_unpacked({name: array.shape for name, array in ordered.items()}, precision)
    if precision == "fp32":
        return {name: array.astype("<f4") for name, array in ordered.items()}
    if precision == "fp16":
        return {name: _half(name, array) for name, array in ordered.items()}
    if precision in KMEANS:
        halves = {name: _within_half(name, array) for name, array in ordered.items()}
        return {precision: to_kmeans(halves, KMEANS[precision])} if halves else {}
    largest = LARGEST[precision]
    scales = {name: _scale(name, array, largest) for name, array in ordered.items()}
    steps = {name: _steps(array, scales[name], largest) for name, array in ordered.items()}
    if precision == "int4":
        steps = {name: pack_int4(q.reshape(1, -1)) for name, q in steps.items()}
    return steps | {SCALE: np.array(list(scales.values()), "<f2")} if steps else {}


def precision_of(stored: Mapping[str, Array], version: int) -> str:
    """What the dtypes of the factors tell, or the name of the one tensor that holds all of them."""
    if version > 1 and KMEANS.keys() & stored.keys():
        if len(stored) > 1:
            raise PromptFileError(f"it holds the tensors {shorten(sorted(stored))}, which do not go together")
        return next(iter(stored))
    kinds = sorted({array.dtype.name for name, array in stored.items() if name != SCALE})
    if len(kinds) > 1:
        raise PromptFileError(f"its factors differ in dtype: {', '.join(kinds)}")
    return _OF_DTYPE[kinds[0]] if kinds else "fp32"


@own_numbers()
def from_stored(
    stored: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], version: int
) -> dict[str, Array]:
    """The float32 tensors, which must have the given shapes."""
    precision = precision_of(stored, version)
    _check_stored(stored, shapes, precision, version)
    _check_unpacked(shapes, precision)
    if precision in KMEANS:
        return from_kmeans(stored[precision], shapes, KMEANS[precision])
    if precision not in LARGEST:
        return {name: stored[name].astype(np.float32) for name in shapes}
    scales = stored[SCALE].astype(np.float32)
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise PromptFileError(f"its scales must be finite and above 0, not {shorten(scales.tolist())}")
    tensors = {}
    for name, scale in zip(sorted(shapes), scales, strict=True):
        q = stored[name]
        if precision == "int4":
            q = unpack_int4(q, _plane(shapes[name], version)).reshape(shapes[name])
        if q.min() < -LARGEST[precision]:
            raise PromptFileError(f"tensor {name!r} holds {q.min()}, which {precision} does not use")
        tensors[name] = q.astype(np.float32) * scale  # exact in float32: 7 bits times 11
    return tensors


def check_precision(precision: object) -> None:
    """Refuse what is no precision."""
    allowed = (*PRECISIONS, *KMEANS)
    if not isinstance(precision, str) or precision not in allowed:
        close = did_you_mean(str(precision), allowed)
        raise PromptFileError(
            f"precision={shorten(precision)} is not known; allowed: {', '.join(allowed)}.{close}"
        )


def pack_int4(q: Array) -> Array:
    """Numbers -7..7 (..., m, n) as bytes (..., ceil(m n / 2)): even positions in the low half."""
    nibbles = q.reshape(*q.shape[:-2], -1).astype(np.uint8) & 15
    if nibbles.shape[-1] % 2:
        nibbles = np.concatenate([nibbles, np.zeros_like(nibbles[..., :1])], axis=-1)
    packed: Array = nibbles[..., 0::2] | nibbles[..., 1::2] << 4
    return packed


def unpack_int4(data: Array, shape: tuple[int, ...]) -> Array:
    """The numbers that `pack_int4` packed; an unused last half must be 0."""
    nibbles = np.stack([data & 15, data >> 4], axis=-1).reshape(*data.shape[:-1], -1)
    count = shape[-2] * shape[-1]
    if nibbles[..., count:].any():
        raise PromptFileError("an unused last half byte is not 0")
    signed: Array = ((nibbles[..., :count] ^ 8).astype(np.int8) - 8).reshape(shape)
    return signed


def _half(name: str, array: Array) -> Array:
    return _within_half(name, array).astype("<f2")


def _within_half(name: str, array: Array) -> Array:
    if np.abs(array).max() > LARGEST_HALF:
        raise PromptFileError(f"tensor {name!r} has numbers beyond fp16 (65,504): save it as fp32")
    return array


def _scale(name: str, array: Array, largest: int) -> float:
    peak = float(np.abs(array).max())
    if peak == 0:
        return 1.0
    if peak / largest > LARGEST_HALF:
        raise PromptFileError(
            f"tensor {name!r} has numbers too large for an fp16 scale ({peak:.3g}): save it as fp32"
        )
    scale = np.float16(peak / largest)
    return float(scale if float(scale) * largest >= peak else np.nextafter(scale, np.float16(np.inf)))


def _steps(array: Array, scale: float, largest: int) -> Array:
    return np.clip(np.rint(array.astype(np.float64) / scale), -largest, largest).astype(np.int8)


def _plane(shape: tuple[int, ...], version: int) -> tuple[int, ...]:
    """The shape that int4 packs by its last two axes."""
    return shape if version == 1 else (1, math.prod(shape))


def _check_unpacked(shapes: Mapping[str, tuple[int, ...]], precision: str) -> None:
    """Refuse a small file that would take much memory: as float32 its numbers are up to 32 times as large."""
    count = sum(math.prod(shape) for shape in shapes.values())
    if precision in (*KMEANS, "int4") and count > MAX_PACKED:
        raise PromptFileError(
            f"its tensors have {count:,} numbers; as {precision} up to {MAX_PACKED:,} go: save it as int8"
        )


def _stored_shapes(
    shapes: Mapping[str, tuple[int, ...]], precision: str, version: int
) -> dict[str, tuple[int, ...]]:
    if precision in KMEANS:
        return {precision: (kmeans_bytes(shapes, KMEANS[precision]),)} if shapes else {}
    expected = dict(shapes)
    if precision == "int4":
        planes = {name: _plane(shape, version) for name, shape in shapes.items()}
        expected = {name: (*p[:-2], (p[-2] * p[-1] + 1) // 2) for name, p in planes.items()}
    if precision in LARGEST:
        expected[SCALE] = (len(shapes),)
    return expected


def _check_stored(
    stored: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], precision: str, version: int
) -> None:
    expected = _stored_shapes(shapes, precision, version)
    if precision in LARGEST and SCALE in stored and stored[SCALE].dtype != np.float16:
        raise PromptFileError(f"its scales must be F16, not {stored[SCALE].dtype}")
    if precision in KMEANS and stored[precision].dtype != np.uint8:
        raise PromptFileError(f"its {precision} must be U8, not {stored[precision].dtype}")
    if set(stored) != set(expected):
        raise PromptFileError(
            f"it holds the tensors {shorten(sorted(stored))}, expected {shorten(sorted(expected))}"
        )
    makers = "n_ctx, rank, dim and classes make" if version == 1 else "its shapes make"
    for name, shape in expected.items():
        if stored[name].shape != shape:
            raise PromptFileError(
                f"tensor {name!r} has the shape {list(stored[name].shape)}; {makers} {list(shape)}"
            )
