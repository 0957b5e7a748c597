"""How far a share, or a difference of two, may be off for having been counted on few images."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np


def wilson(hits: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The score interval of a share of ``hits`` in ``n``, in percent; 0 to 100 where nothing was counted.

    E. B. Wilson 1927, Probable inference, the law of succession, and statistical inference, equation 5. It
    stays between 0 and 100, and is sound where few or all are right.
    """
    if n <= 0:
        return 0.0, 100.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = hits / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    low, high = (0.0 if hits <= 0 else low, 1.0 if hits >= n else high)  # without what rounding leaves
    return 100.0 * max(low, 0.0), 100.0 * min(high, 1.0)


def paired_difference(a_hits: np.ndarray, b_hits: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Interval of the accuracy of ``a`` less that of ``b``, in percentage points, on the same images.

    a_hits, b_hits (N,) bool: who is right on which image. By a formula, without draws: Wilson's interval of
    each, put together with regard to how far both are right on the same images (Newcombe, Statistics in
    Medicine 17, 1998, 2635-2650, method 10). -100 to 100 of no image.
    """
    a, b = np.asarray(a_hits, bool), np.asarray(b_hits, bool)
    n = len(a)
    if n == 0:
        return -100.0, 100.0
    both, only_a, only_b = (int(np.sum(one)) for one in (a & b, a & ~b, b & ~a))
    together = _correlation(both, only_a, only_b, n - both - only_a - only_b)
    below_a, above_a = _distances(both + only_a, n, level)
    below_b, above_b = _distances(both + only_b, n, level)
    difference = 100.0 * (only_a - only_b) / n
    low = difference - _added(below_a, above_b, together)
    high = difference + _added(above_a, below_b, together)
    return max(low, -100.0), min(high, 100.0)


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Pearson's phi of two kinds of hits, corrected downwards for small counts as the paper has it."""
    product = math.prod((both + only_a, only_b + neither, both + only_b, only_a + neither))
    if product == 0:
        return 0.0
    excess = both * neither - only_a * only_b
    half = (both + only_a + only_b + neither) / 2
    return (max(excess - half, 0) if excess > 0 else excess) / math.sqrt(product)


def _distances(hits: int, n: int, level: float) -> tuple[float, float]:
    """From the share down and up to the ends of its interval."""
    low, high = wilson(hits, n, level)
    share = 100.0 * hits / n
    return share - low, high - share


def _added(one: float, other: float, together: float) -> float:
    return math.sqrt(max(one * one - 2 * together * one * other + other * other, 0.0))
