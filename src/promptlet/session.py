"""The session the library runs in: what it computes under, whatever its user has set there.

Grad mode, inference mode, autocast, the default device and NumPy's error state belong to a thread: the
library's entries set their own inside `own_arithmetic`, and other threads see nothing of it. What belongs to
the whole process is never changed: the default dtype is met by naming dtypes, and what the user says about
the precision of products is obeyed and named by `precision`, so that features are kept apart by it.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

AUTOCAST = ("cpu", "cuda", "mps", "xpu")
"""Kinds of device whose autocast is turned off."""
FPMATH = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE")
"""Variables by which oneDNN, on a CPU, is allowed less than float32."""
EXACT = ("none", "ieee", "highest")
_thread = threading.local()


@contextmanager
def own_numbers() -> Iterator[None]:
    """NumPy's error state as it is when nothing was set. Around functions, or as a decorator."""
    with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
        yield


@contextmanager
def own_arithmetic() -> Iterator[None]:
    """Gradients on, inference mode and autocast off, new tensors on the CPU, NumPy's own error state.

    Around the library's entries, or as their decorator. Inside it, it does nothing: what an entry has set
    holds for all that it calls.
    """
    import torch

    if getattr(_thread, "inside", False):
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(own_numbers())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in filter(torch.is_autocast_enabled, AUTOCAST):
            stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.empty(0, dtype=torch.float32).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))  # each torch call takes longer inside: only then
        _thread.inside = True
        stack.callback(setattr, _thread, "inside", False)
        yield


@contextmanager
def generators_kept() -> Iterator[None]:
    """Python's and torch's global generators stand afterwards where they stood: around other libraries, which
    draw from them to fill weights that are then loaded, or while they are imported."""
    import torch

    state = random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(state)


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def without_autocast(device: torch.device) -> torch.autocast:
    """Autocast off there: around what casts by itself, and around what is little work and loses much by few
    bits, such as logits, of which bfloat16 tells apart only steps of an eighth."""
    import torch

    return torch.autocast(device.type, enabled=False)


def without_waiting(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """``tensor`` there. On its way to a CUDA device the host goes on at once: it is copied from pinned
    memory, in the order of what the device does."""
    if tensor.device.type != "cpu" or device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def precision(device: torch.device) -> str:
    """What the session makes of float32 arithmetic there, such as ``bf16``; "" where nothing was set."""
    found = _products(device), _convolutions(device), _from_outside(device)
    return "-".join(word for word in found if word)


def _products(device: torch.device) -> str:
    import torch

    word = _setting(f"{'cuda' if device.type == 'cuda' else 'mkldnn'}.matmul")
    if word is None:  # versions of torch before 2.9
        word = torch.get_float32_matmul_precision()
    return "" if word in EXACT else word


def _convolutions(device: torch.device) -> str:
    """Of the image tower's patches: TF32 on a GPU unless it is turned off, float32 on a CPU."""
    import torch

    if device.type != "cuda":
        word = _setting("mkldnn.conv")
        return "" if word is None or word in EXACT else f"{word}_convolutions"
    word = _setting("cudnn.conv")
    exact = not torch.backends.cudnn.allow_tf32 if word is None else word in EXACT
    return "exact_convolutions" if exact else ""


def _from_outside(device: torch.device) -> str:
    if device.type == "cuda":
        word = os.environ.get("NVIDIA_TF32_OVERRIDE", "")
        return f"tf32_override_{word}" if word else ""
    return "-".join(sorted({os.environ.get(name, "").lower() for name in FPMATH} - {"", "strict"}))


def _setting(place: str) -> str | None:
    """What torch is told of float32 there; None where this version has no such setting."""
    import torch

    found: Any = torch.backends
    for part in (*place.split("."), "fp32_precision"):
        found = getattr(found, part, None)
    return None if found is None else str(found)
