"""Which images are of one photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def groups_of(hashes: Sequence[str], features: np.ndarray | None = None) -> np.ndarray:
    """A number for each image (N,) int64: the same for those of the same content hash. Without a hash ("",
    as of features that were given), images of the same features are the same."""
    rows = (
        [None] * len(hashes)
        if features is None
        else [row.tobytes() for row in np.ascontiguousarray(features)]
    )
    keys: dict[object, int] = {}
    return np.array(
        [keys.setdefault(own or rows[i] or i, len(keys)) for i, own in enumerate(hashes)], np.int64
    )
