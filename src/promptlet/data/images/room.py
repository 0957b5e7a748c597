"""How many bytes of decoded pictures threads hold together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOST_BYTES = 512 << 20
"""One picture above it is held alone. The largest that is read takes 400 MB."""


class Room:
    """Bytes that threads may take together. Who asks for more than is left waits, unless nobody has any.

    A thread that has some gets more at once: who waits holds nothing, so that no two wait for each other.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most = most
        self._held: dict[int, int] = {}  # by thread
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """For the time of a block this thread holds ``count`` bytes more."""
        own = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: own in self._held or self._fits(count))
            self._held[own] = self._held.get(own, 0) + count
        try:
            yield
        finally:
            with self._changed:
                self._held[own] -= count
                if self._held[own] <= 0:
                    del self._held[own]
                self._changed.notify_all()

    def _fits(self, count: int) -> bool:
        return not self._held or sum(self._held.values()) + count <= self.most
