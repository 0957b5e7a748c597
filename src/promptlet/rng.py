"""Numbers from a seed, the same on every machine and in every language.

The stream for ``(purpose, seed)`` is SHAKE-128 of the ASCII text ``promptlet/<purpose>/<seed>``, read
as little-endian unsigned 16-bit words. A standard normal number is the sum of 12 consecutive words,
minus 6 x 65535, divided by 65536 (Irwin-Hall; every step is exact in integers until the one division
by a power of two). Nothing here depends on NumPy's, torch's or Python's generators.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt


def words(purpose: str, seed: int, count: int) -> npt.NDArray[np.int64]:
    """``count`` unsigned 16-bit words of the stream, as int64 (count,)."""
    stream = hashlib.shake_128(f"promptlet/{purpose}/{seed}".encode("ascii")).digest(2 * count)
    return np.frombuffer(stream, dtype="<u2").astype(np.int64)


def normal(purpose: str, seed: int, shape: tuple[int, ...], std: float) -> npt.NDArray[np.float32]:
    """Approximately normal numbers of mean 0 and standard deviation ``std``, float32, of ``shape``."""
    count = int(np.prod(shape))
    sums = words(purpose, seed, 12 * count).reshape(count, 12).sum(axis=1) - 6 * 65535
    values: npt.NDArray[np.float32] = (sums / 65536.0 * std).astype(np.float32).reshape(shape)
    return values


def generator(purpose: str, seed: int) -> np.random.Generator:
    """A NumPy generator of its own for ``(purpose, seed)``: for draws and orders, never global state."""
    return np.random.Generator(np.random.PCG64(words(purpose, seed, 16).tolist()))
