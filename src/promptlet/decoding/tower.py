"""An image tower that takes smaller batches where there is not memory enough for large ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from promptlet.progress import tell

NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")
"""What torch's RuntimeErrors say of it, on the devices there are."""


class Tower:
    """Features (B, D) of pixel values (B, 3, H, W), ``most`` at a time; what does not fit is halved, and so
    is all that follows, and that is told."""

    def __init__(self, encode: Callable[[Tensor], Tensor], most: int) -> None:
        self._encode, self.most = encode, most

    def __call__(self, pixels: Tensor) -> Tensor:
        """Raises what the tower raises, out of memory for one image included."""
        found: list[Tensor] = []
        done = 0
        while done < len(pixels):
            part = pixels[done : done + self.most]
            features = self._tried(part)
            if features is not None:
                found.append(features)
                done += len(part)
        return found[0] if len(found) == 1 else torch.cat(found)

    def _tried(self, pixels: Tensor) -> Tensor | None:
        """None where it is to be tried again with smaller batches."""
        try:
            return self._encode(pixels)
        except (RuntimeError, MemoryError) as error:
            if len(pixels) == 1 or not _is_of_memory(error):
                raise
        self.most = len(pixels) // 2  # outside of the handler, which holds on to what was allocated
        tell(
            f"note: there is not memory enough to encode {len(pixels)} images at once; from here on "
            f"{self.most} at a time"
        )
        return None


def _is_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in text for word in NO_MEMORY)
