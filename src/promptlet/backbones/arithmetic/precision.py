"""In which dtype the engines multiply: they cast by themselves, so that backward finds forward's dtypes."""

from __future__ import annotations

import torch
from torch import Tensor


def compute_dtype(x: Tensor, weights: torch.dtype) -> torch.dtype:
    """Dtype of the matrix products: autocast's where autocast is on, else that of the weights."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weights


def own_precision(x: Tensor) -> torch.autocast:
    """Autocast off on the device of ``x``."""
    return torch.autocast(x.device.type, enabled=False)
