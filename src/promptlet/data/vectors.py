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
) -> npt.NDArray[Any]:
    """A copy of vectors (N, D) as ``dtype``, in the order of rows.

    Raises ``error`` for a row, called ``what[row]``, that is not finite in that type, or zeros alone.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        copy = np.array(vectors, dtype=dtype, order="C")
    finite = np.isfinite(copy).all(axis=1)
    zero = ~copy.any(axis=1)
    for wrong, found in (
        (~finite, f"a number that is NaN or infinite, or too large for {copy.dtype}"),
        (zero, "zeros alone, which have no direction"),
    ):
        rows = np.flatnonzero(wrong)
        if rows.size:
            raise error(f"{what}[{rows[0]}] holds {found} ({rows.size} of {len(copy)} rows do); {again}")
    return copy
