"""Vectors that come from outside: every number finite as float32, and no row of zeros alone.

A row of zeros has no direction, and similarity compares directions. How large a row is does not matter: rows
are brought to length 1 where they are used (`promptlet.backbones.arithmetic.unit`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from promptlet.errors import DataError, PromptletError

AGAIN = "compute it again in float32"


def usable_vectors(
    vectors: npt.NDArray[Any],
    what: str,
    error: type[PromptletError] = DataError,
    again: str = AGAIN,
    dtype: npt.DTypeLike = np.float32,
    copy: bool = True,
) -> npt.NDArray[Any]:
    """A copy of vectors (N, D) as ``dtype``, in the order of rows; without ``copy`` themselves, where they
    are so already.

    Raises ``error`` for a row, called ``what[row]``, that is not finite in that type, or zeros alone.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = (np.array if copy else np.asarray)(vectors, dtype=dtype, order="C")
    finite = np.isfinite(found).all(axis=1)
    zero = ~found.any(axis=1)
    for wrong, what_it_is in (
        (~finite, f"a number that is NaN or infinite, or too large for {found.dtype}"),
        (zero, "zeros alone, which have no direction"),
    ):
        rows = np.flatnonzero(wrong)
        if rows.size:
            told = f"{what}[{rows[0]}] holds {what_it_is} ({rows.size} of {len(found)} rows do)"
            raise error(f"{told}; {again}")
    return found
