"""What can be asked of ``dtype``, and what it comes to for the towers at hand."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from promptlet.backbones.arithmetic.fastest import is_faster, is_native
from promptlet.backbones.arithmetic.precision import ARITHMETICS, MIXED, Arithmetic
from promptlet.errors import check_option

AUTO = "auto"
DTYPES = (AUTO, "float32", "mixed", "bfloat16", "float16")
"""What help names; `ARITHMETICS` has those of one tower too, for records that are to be made again."""
LEAST_WEIGHTS = 4_000_000
"""In a tower's linear layers. Of less, a step takes milliseconds, and there is nothing to gain."""


def asked(dtype: str | torch.dtype | None) -> Arithmetic | None:
    """What was asked for; None for "auto", which depends on the towers. Raises OptionError."""
    word = AUTO if dtype is None else str(dtype).removeprefix("torch.")
    if word in ARITHMETICS:
        return ARITHMETICS[word]
    check_option("dtype", word, DTYPES)
    return None


def chosen(text: Sequence[nn.Module], image: Sequence[nn.Module], device: torch.device) -> Arithmetic:
    """Of "auto": products in bfloat16 in each tower for which they are faster on this machine."""
    return Arithmetic(torch.float32, _products(text, device), _products(image, device))


def _products(modules: Sequence[nn.Module], device: torch.device) -> torch.dtype:
    shapes = _shapes(modules)
    if sum(rows * columns for rows, columns in shapes) < LEAST_WEIGHTS:
        return torch.float32
    return MIXED if is_faster(max(shapes, key=lambda shape: shape[0] * shape[1]), device) else torch.float32


def _shapes(modules: Sequence[nn.Module]) -> list[tuple[int, int]]:
    """Of the weights of all linear layers, (out, in). Convolutions are not counted: how fast they are in
    bfloat16 was not measured to be worth it."""
    found: list[tuple[int, int]] = []
    for layer in (layer for module in modules for layer in module.modules()):
        packed = layer.in_proj_weight if isinstance(layer, nn.MultiheadAttention) else None
        weight: Tensor | None = layer.weight if isinstance(layer, nn.Linear) else packed
        if weight is not None and weight.dim() == 2:
            found.append((int(weight.shape[0]), int(weight.shape[1])))
    return found


def slow(arithmetic: Arithmetic, device: torch.device) -> str:
    """That products in bfloat16 are slow there, as a note; "" where they are not."""
    if MIXED not in (arithmetic.text, arithmetic.images) or device.type != "cpu" or is_native(device):
        return ""
    return (
        f"dtype {arithmetic.word}: this processor has no instructions for bfloat16, so it computes the same "
        "numbers, but slower than in float32. Take --dtype auto, or float32"
    )
