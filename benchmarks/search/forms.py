"""Ways to score images against what is looked for and what is not; the library's is one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from promptlet.search.question import WEIGHT, Question

Form = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]
"""Of features (N, D), what is looked for (D,), others (M, D), the mean of common words (D,) and the scale."""
TAKEN = "similarity and softmax, less common"
HALF = 0.5


def log_sum(rows: np.ndarray) -> np.ndarray:
    """log of the sum of e to these, over the last axis."""
    most = rows.max(-1, keepdims=True)
    found: np.ndarray = (most + np.log(np.exp(rows - most).sum(-1, keepdims=True)))[..., 0]
    return found


def share(x: np.ndarray, wanted: np.ndarray, others: np.ndarray, scale: float) -> np.ndarray:
    """log of the softmax between one and all others (N,)."""
    return -np.logaddexp(0.0, log_sum(scale * x @ others.T) - scale * x @ wanted)


def _along(direction: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Form:
    """By one vector."""

    def score(
        x: np.ndarray, wanted: np.ndarray, others: np.ndarray, common: np.ndarray, _scale: float
    ) -> np.ndarray:
        found: np.ndarray = x @ direction(wanted, others, common)
        return found

    return score


def _orthogonal(x: np.ndarray, wanted: np.ndarray, others: np.ndarray, *_: object) -> np.ndarray:
    basis, _r = np.linalg.qr(others.T)
    found: np.ndarray = x @ (wanted - basis @ (basis.T @ wanted))
    return found


def _sum_of(weight: float, less_common: bool) -> Form:
    def score(
        x: np.ndarray, wanted: np.ndarray, others: np.ndarray, common: np.ndarray, scale: float
    ) -> np.ndarray:
        near = x @ (wanted - common if less_common else wanted)
        found: np.ndarray = scale * near + weight * share(x, wanted, others, scale)
        return found

    return score


def taken(
    x: np.ndarray, wanted: np.ndarray, others: np.ndarray, common: np.ndarray, scale: float
) -> np.ndarray:
    """The library's own."""
    question = Question(wanted - common, others - common, scale)
    return question.scores(x @ question.matrix)


NEGATIVES: Mapping[str, Form] = {
    "without it": _along(lambda p, _o, _g: p),
    "without it, less common": _along(lambda p, _o, g: p - g),
    "plain subtraction": _along(lambda p, o, _g: p - o.sum(0)),
    "subtraction of half": _along(lambda p, o, _g: p - HALF * o.sum(0)),
    "minus the mean of others": _along(lambda p, o, _g: p - o.mean(0)),
    "orthogonal": _orthogonal,
    "two-class softmax": lambda x, p, o, _g, t: share(x, p, o, t),
    "similarity and softmax": _sum_of(WEIGHT, less_common=False),
    TAKEN: taken,
}
"""For words, and words that are not looked for. Less common: minus the mean of common words."""
WEIGHTS = (0.5, 1.0, 2.0, 4.0)


def of_classes(x: np.ndarray, classes: np.ndarray, row: int, scale: float) -> dict[str, np.ndarray]:
    """Scores by each way for one of a prompt's classes (C, D)."""
    wanted, others = classes[row], np.delete(classes, row, axis=0)
    mean, near, soft = others.mean(0), x @ wanted, share(x, wanted, others, scale)
    return {
        "cosine": near,
        "minus the mean of its other classes": near - x @ mean,
        "softmax over its classes": soft,
        **{
            f"both, softmax times {weight:g}": scale * (near - x @ mean) + weight * soft for weight in WEIGHTS
        },
        "taken": taken(x, wanted, others, mean, scale),
    }
