"""Small pictures of images as JPEG, kept in memory while there is room: pages keep them for good."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL import Image

MOST_BYTES: Final = 32 << 20
QUALITY: Final = 82
Key = tuple[str, str]
"""A project and an image."""


class Smalls:
    """For any thread."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Image.Image]) -> bytes:
        """Kept, or made. Raises what ``make`` raises."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        return self.keep(key, make())

    def keep(self, key: Key, small: Image.Image) -> bytes:
        """One that was made on another way."""
        out = io.BytesIO()
        small.save(out, "JPEG", quality=QUALITY, optimize=True)
        data = out.getvalue()
        with self._lock:
            self._held += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._held > self._most:
                self._held -= len(self._kept.popitem(last=False)[1])
        return data
