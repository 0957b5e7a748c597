"""Tensors, encoded bytes and open files as the sources that images are read from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from promptlet.errors import DataError, ImageError

CHANNELS = (1, 3)


def as_source(one: Any) -> Any:
    """One image or vector: tensors become arrays, open files and ``{"bytes", "path"}`` what they hold."""
    if isinstance(one, torch.Tensor):
        return array_of(one)
    if isinstance(one, bytearray | memoryview):
        return bytes(one)
    if hasattr(one, "read") and not isinstance(one, str | Path | bytes):
        return _content(one)
    if isinstance(one, Mapping) and ("bytes" in one or "path" in one):
        return _stored(one)
    return one


def array_of(tensor: torch.Tensor) -> np.ndarray:
    """A vector (D,) as it is; an image (H, W), (C, H, W) or (H, W, C) as an array (H, W) or (H, W, C).

    Raises ImageError where channels may be first or last, or cannot be found.
    """
    tensor = tensor.detach().cpu()
    array: np.ndarray = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if array.ndim != 3:
        return array
    first, last = array.shape[0] in CHANNELS, array.shape[2] in CHANNELS
    shape = tuple(array.shape)
    if first and last:
        raise ImageError(
            f"a tensor of shape {shape} may have its channels first or last; give it as a NumPy array "
            "(H, W, C): tensor.permute(1, 2, 0).numpy() where they are first, else tensor.numpy()"
        )
    if not first and not last:
        more = "; leave out the alpha channel: tensor[:3]" if 4 in (shape[0], shape[2]) else ""
        raise ImageError(
            f"a tensor of shape {shape} is no image; allowed: (3, H, W) or (H, W, 3), or one channel instead "
            f"of three{more}"
        )
    return np.ascontiguousarray(array.transpose(1, 2, 0)) if first else array


def _content(file: Any) -> bytes:
    """The rest of an open file. Raises DataError for text, ImageError for nothing."""
    content = file.read()
    name = getattr(file, "name", type(file).__name__)
    if not isinstance(content, bytes):
        raise DataError(f"{name!r} is open as text; open it with mode 'rb', or give its path")
    if not content:
        raise ImageError(
            f"{name!r} has nothing left to read; was it read before? file.seek(0) goes to its start"
        )
    return content


def _stored(one: Mapping[str, Any]) -> Any:
    """As Hugging Face `datasets` stores an image: bytes, or else a path."""
    content, path = one.get("bytes"), one.get("path")
    if content is not None:
        return bytes(content)
    if path is None:
        raise ImageError("an image without bytes and without a path; leave it out")
    return path
