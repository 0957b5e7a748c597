"""From image features to probabilities in NumPy, as the library has them in torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from promptlet.errors import AnswerError

Numbers = npt.NDArray[np.float32]
LARGEST = 1e6
"""Beyond any logit that means something, as in `promptlet.methods.sound`."""


def unit(rows: npt.NDArray[np.floating]) -> Numbers:
    """Rows (N, D) as float32 of length 1, whatever their length was; zeros stay."""
    numbers = np.asarray(rows, np.float64)
    largest = np.abs(numbers).max(axis=1, keepdims=True, initial=0.0)
    numbers = numbers / np.where((largest > 0) & np.isfinite(largest), largest, 1.0)  # so that squares exist
    with np.errstate(invalid="ignore"):
        lengths = np.linalg.norm(numbers, axis=1, keepdims=True)
        found: Numbers = (numbers / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return found


def probabilities(features: Numbers, classes: Numbers, scale: float, bias: float) -> Numbers:
    """(N, C) of features (N, D) and class vectors (C, D), both of length 1.

    Raises AnswerError where a logit is not finite, or absurd.
    """
    with np.errstate(all="ignore"):
        logits = np.float32(scale) * features @ classes.T + np.float32(bias)
    check_logits(logits)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    found: Numbers = raised / raised.sum(axis=1, keepdims=True)
    return found


def check_logits(logits: Numbers) -> None:
    """Raise AnswerError where rows (N, C) are not finite or beyond `LARGEST`."""
    sound = (np.abs(logits) <= LARGEST).all(axis=1)  # NaN is not below anything
    rows: Sequence[int] = np.flatnonzero(~sound).tolist()
    if rows:
        row = logits[rows[0]]
        worst = row[~(np.abs(row) <= LARGEST)][0]
        raise AnswerError(
            f"{len(rows)} of {len(logits)} answers are no numbers to go by: a logit is {worst:.3g}, and "
            f"sound ones lie within {LARGEST:,.0f}. The exported folder is damaged, or this machine computes "
            "wrongly: take a sound copy, and run promptlet export --check FOLDER",
            rows=rows,
        )
