"""Feature vectors kept in memory for as long as one piece of work takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from promptlet.data.cache.features import FeatureCache
from promptlet.data.cache.store import Key, Vector


class KeptFeatures(FeatureCache):
    """What is asked for again is here, whether or not a cache on the disk stands behind it."""

    def __init__(self, behind: FeatureCache | None) -> None:
        super().__init__("")
        self.behind = behind
        self._kept: dict[tuple[str, Key], npt.NDArray[Any]] = {}

    def get_many(self, fingerprint: str, keys: Sequence[Key]) -> dict[Key, Vector]:
        """The vectors found, here or behind."""
        found = {key: self._kept[fingerprint, key] for key in keys if (fingerprint, key) in self._kept}
        missing = [key for key in keys if key not in found]
        if self.behind is not None and missing:
            behind = self.behind.get_many(fingerprint, missing)
            self._kept |= {(fingerprint, key): vector for key, vector in behind.items()}
            found |= behind
        return found

    def put_many(self, fingerprint: str, vectors: Mapping[Key, npt.NDArray[Any]]) -> int:
        """Keep them, and store them behind; how many are kept."""
        self._kept |= {(fingerprint, key): vector for key, vector in vectors.items()}
        if self.behind is not None:
            self.behind.put_many(fingerprint, vectors)
        return len(vectors)
