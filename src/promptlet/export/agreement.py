"""What an export answers, compared with what torch made, in batches of several sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from promptlet.errors import ExportError
from promptlet.runtime.arithmetic import Numbers

BATCHES = (1, 3, 8, 33)
"""How many images at once: the number that a graph was captured with is none of them."""
TOLERANCES = {"fp32": 1e-4, "fp16": 1e-3}
"""The largest difference from torch that a feature, of a vector of length 1, may have."""

Outputs: TypeAlias = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
"""From what a graph takes to what it gives, by names."""
Run: TypeAlias = Callable[[Numbers], Numbers]
"""From pixel values (B, 3, H, W) to features (B, D)."""


def compared(run: Run, pixels: Numbers, expected: Numbers, tolerance: float, what: str) -> float:
    """The largest difference of any feature from the expected ones, in batches of `BATCHES`.

    Raises ExportError where it is above the tolerance.
    """
    largest = 0.0
    for count in BATCHES:
        try:
            found = run(pixels[:count])
        except ExportError as error:
            raise ExportError(f"{what} does not take {count} images at once: {error}") from error
        off = difference(found, expected[:count])
        if off > tolerance:
            raise ExportError(
                f"{what} does not answer as torch does: with {count} images at once, a feature is {off:.2g} "
                f"off, and {tolerance:g} is allowed; nothing was exported. Export class vectors, --to "
                "vectors, or answer with the prompt file"
            )
        largest = max(largest, off)
    return largest


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest of two arrays; infinite where shapes differ, or one is no number."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max(initial=0.0))
