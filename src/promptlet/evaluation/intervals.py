"""How far a share, or a difference of two, may be off for having been counted on few images."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from promptlet import rng

DRAWS = 2000


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
    return 100.0 * max(low, 0.0), 100.0 * min(high, 1.0)


def bootstrap_difference(
    hits: np.ndarray, other: np.ndarray, level: float = 0.95, seed: int = 1
) -> tuple[float, float]:
    """The interval of accuracy minus another's, in percent, both on the same images.

    hits, other (N,) bool. The percentile bootstrap over images (Efron 1979), paired: an image is drawn with
    both of its answers. 0 to 0 without images.
    """
    differences = np.asarray(hits, float) - np.asarray(other, float)
    if not len(differences):
        return 0.0, 0.0
    counts = [int((differences == value).sum()) for value in (-1.0, 0.0, 1.0)]
    drawn = rng.generator("bootstrap", seed).multinomial(
        len(differences), np.divide(counts, len(differences)), DRAWS
    )
    means = 100.0 * (drawn[:, 2] - drawn[:, 0]) / len(differences)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
