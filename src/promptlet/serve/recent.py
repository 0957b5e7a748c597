"""Features of images that were asked for a short while ago, by tenant: nobody learns from how quickly an
answer comes what others asked."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

OWN_BYTES = 512
"""Of an entry, beside its numbers: its key, and its place in the order."""


class Recent:
    """The features used last, up to ``most_bytes``; for all threads."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes, self.nbytes = most_bytes, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, tenant: str, content: str) -> np.ndarray | None:
        """Features (D,) of an image by its content hash, which are not to be written to."""
        with self._lock:
            found = self._kept.get((tenant, content))
            if found is not None:
                self._kept.move_to_end((tenant, content))
            return found

    def put(self, tenant: str, content: str, features: np.ndarray) -> None:
        """Keep features (D,); of what does not fit, those used longest ago go."""
        with self._lock:
            former = self._kept.pop((tenant, content), None)
            self.nbytes -= 0 if former is None else former.nbytes + OWN_BYTES
            self._kept[tenant, content] = features
            self.nbytes += features.nbytes + OWN_BYTES
            while self.nbytes > self.most_bytes:
                _, oldest = self._kept.popitem(last=False)
                self.nbytes -= oldest.nbytes + OWN_BYTES
