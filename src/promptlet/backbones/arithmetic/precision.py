"""In which dtype the engines multiply: they cast by themselves, so that backward finds forward's dtypes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

MIXED = torch.bfloat16
"""Of the products, where they are in another dtype than the weights: as wide in range as float32."""


@dataclass(frozen=True)
class Arithmetic:
    """What a backbone computes in: the dtype of its ``weights``, in which states, norms, softmax and sums are
    too, and that of each tower's products: the weights' own, or `MIXED` beside float32. ``engine``: whether
    the engine encodes images in float32, too, which else are the library's to the last bit."""

    weights: torch.dtype = torch.float32
    text: torch.dtype = torch.float32
    images: torch.dtype = torch.float32
    engine: bool = False

    @property
    def word(self) -> str:
        """One for records and caches: ``float32``, ``bfloat16``, ``float16`` where all is in it; ``mixed``
        where both towers' products are in bfloat16 beside float32 weights, ``mixed_text`` and
        ``mixed_images`` where those of one are; ``float32_engine``."""
        found = {(True, True): "mixed", (True, False): "mixed_text", (False, True): "mixed_images"}
        pair = self.text != self.weights, self.images != self.weights
        name = str(self.weights).removeprefix("torch.")
        return found.get(pair, f"{name}_engine" if self.engine else name)


ARITHMETICS = {
    one.word: one
    for one in (
        *(Arithmetic(dtype, dtype, dtype) for dtype in (torch.float32, torch.bfloat16, torch.float16)),
        Arithmetic(text=MIXED, images=MIXED),
        Arithmetic(text=MIXED),
        Arithmetic(images=MIXED),
        Arithmetic(engine=True),
    )
}
"""By their word."""


def compute_dtype(x: Tensor, products: torch.dtype) -> torch.dtype:
    """Dtype of the matrix products: autocast's where autocast is on, else ``products``."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else products


def library_precision(
    device: torch.device, weights: torch.dtype, products: torch.dtype
) -> AbstractContextManager[object]:
    """Around a library's own forward pass: autocast to ``products`` where they are not the weights'; else
    autocast stays as it is."""
    return nullcontext() if products == weights else torch.autocast(device.type, dtype=products)
