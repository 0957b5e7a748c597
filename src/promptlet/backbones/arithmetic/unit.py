"""Vectors of length 1, whatever their length was: the one place where features are normalised."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL, LARGE = 2.0**-20, 2.0**50
"""Between these, the largest number of a row can be squared and summed in float32 as it is."""
AT_ONCE = 1 << 24
"""Numbers: 64 MiB in float32."""


def unit(vectors: Tensor) -> Tensor:
    """``vectors`` (..., D) as float32 of length 1; a row of zeros stays one. Differentiable.

    The squares of numbers above 1e19 or below 1e-19 leave float32, and so would the length. So a row whose
    largest number is outside `SMALL` to `LARGE` is first multiplied by a power of two that brings this number
    to 1/2 or more, and below 1; one below 2**-126, where float32 has fewer digits, to 2**-23 or more. That is
    exact, but for numbers that are nothing beside it; other rows are multiplied by 1, so their bits do not
    change; where it costs nothing to look, rows that are all ordinary are not multiplied at all. Very many,
    where no gradient is asked for, are taken some rows at a time: what is made on the way is several times as
    large as they are.
    """
    parts = -(-vectors.numel() // AT_ONCE)
    if parts < 2 or vectors.requires_grad or vectors.dim() < 2:
        return _unit(vectors)
    rows = vectors.flatten(0, -2)
    made = torch.empty(rows.shape, dtype=torch.float32, device=vectors.device)
    for some, into in zip(rows.chunk(parts), made.chunk(parts), strict=True):
        into.copy_(_unit(some))
    return made.view(vectors.shape)


def _unit(vectors: Tensor) -> Tensor:
    numbers = vectors.float()
    largest = numbers.detach().abs().amax(-1, keepdim=True)
    if _are_ordinary(largest):
        return F.normalize(numbers, dim=-1)
    with torch.no_grad():
        exponent = (largest.view(torch.int32) >> 23 & 255) - 126  # as frexp's, which Apple's devices lack
        odd = ((largest < SMALL) | (largest > LARGE)) & torch.isfinite(largest) & (largest > 0)
        power = torch.where(odd, -exponent, torch.zeros_like(exponent)).float()
        half = (power / 2).trunc()  # one power of two alone may be too large for float32
        first, second = torch.exp2(half), torch.exp2(power - half)
    return F.normalize(numbers * first * second, dim=-1)


def _are_ordinary(largest: Tensor) -> bool:
    """Of the largest number of each row. Not asked of other devices, which would be waited for, nor where a
    compiler writes down what is done."""
    if largest.device.type != "cpu" or torch.compiler.is_compiling() or torch._C._get_tracing_state():
        return False
    if not largest.numel():
        return True
    least, most = largest.aminmax()
    return bool(least >= SMALL) and bool(most <= LARGE)
