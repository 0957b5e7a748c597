"""How many of the best images are right: what labelled images tell of scores, and no more than they tell.

Others are labelled images that are not of the class, each scored by a prompt that was not taught it, in
kinds: images of the prompt's other classes, images of none of them. Where c of the n others of a kind score s
or more, the share of all such images that do is p(s) or less in nine of ten cases:

    p(s) = max over kinds of the c + 1, n - c quantile of the beta distribution at 0.9

(Clopper and Pearson 1934; 1 where c = n): whichever kind an image would be of. Of N images that are not of
the class, N p at most score as high. So of the k best images of a folder, the share N p_k / k at most is
wrong, and the largest k is kept at which that is no more than 1 - precision (Benjamini and Hochberg 1995).
The upper bound stands where conformal p-values have the mean (1 + c) / (1 + n): by means the promise holds
over many draws of the others, and fails for the draw that one has, the more the fewer they are (Bates et al.
2023, section 3). Nothing has to be known of how frequent the class is. What is supposed is that images of the
folder that do not show the class score as the others do; `unlike` looks whether they may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

SURE = 0.9
"""In how many cases a bound holds."""
MIDDLE = 0.5
FAR = 1.25
"""Times as many images in the middle, between those of the class and the ordinary others, as the others have
there: more, and the folder's images are of another kind. Of folders like the labelled images one class in
forty has more, of others three in four (docs/explanation/search.md)."""


@dataclass(frozen=True, eq=False)
class Kept:
    """rows: of the images that are kept, the best first. threshold: their lowest score, None without any.
    best: the highest precision that can be told of any number of the best images, and of how many."""

    rows: np.ndarray
    threshold: float | None
    best: tuple[float, int]


def p_values(scores: np.ndarray, kinds: Mapping[str, np.ndarray]) -> np.ndarray:
    """The shares (N,) of others that score as high, (1 + c) / (1 + n). kinds: at least one of each kind."""
    found = np.zeros(len(scores))
    for others in kinds.values():
        below = np.searchsorted(np.sort(others), scores, "left")
        found = np.maximum(found, (1 + len(others) - below) / (1 + len(others)))
    return found


def bounds(scores: np.ndarray, kinds: Mapping[str, np.ndarray]) -> np.ndarray:
    """Upper bounds (N,) of the share of others that score as high, by the kind with the highest."""
    found = np.zeros(len(scores))
    for others in kinds.values():
        above = len(others) - np.searchsorted(np.sort(others), scores, "left")
        bound = betaincinv(above + 1, np.maximum(len(others) - above, 1), SURE)
        found = np.maximum(found, np.where(above < len(others), bound, 1.0))
    return found


def keep(scores: np.ndarray, kinds: Mapping[str, np.ndarray], precision: float) -> Kept:
    """The most images of which the share ``precision`` is right, as far as others tell."""
    order = np.argsort(-scores, kind="stable")
    p = bounds(scores, kinds)[order]
    told = 1.0 - len(scores) * p / np.arange(1, len(scores) + 1)
    if not len(told):
        return Kept(order, None, (0.0, 0))
    enough = np.flatnonzero(told >= precision - 1e-12)
    rows = order[: enough[-1] + 1 if len(enough) else 0]
    at = int(told.argmax())
    return Kept(rows, float(scores[rows[-1]]) if len(rows) else None, (max(0.0, float(told[at])), at + 1))


def unlike(scores: np.ndarray, own: np.ndarray, kinds: Mapping[str, np.ndarray]) -> float:
    """How many times as many images score in the middle as the others do: 1 where a folder is like them.

    own: scores of labelled images of the class, of which nine tenths lie above the middle.
    """
    low = min(0.4, float(np.quantile(p_values(own, kinds), 0.9))) if len(own) else 0.1
    p = p_values(scores, kinds)
    share = float(((p > low) & (p <= MIDDLE)).mean()) if len(p) else 0.0
    return share / (MIDDLE - low)
