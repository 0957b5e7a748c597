"""What a user may have set in the session that the library runs in: context managers that put it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

import numpy as np
import torch

Session = Callable[[], AbstractContextManager[object]]


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def no_gradients() -> Iterator[None]:
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        yield
    finally:
        torch.set_grad_enabled(before)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def products(level: str) -> Iterator[None]:
    torch.set_float32_matmul_precision(level)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


@contextmanager
def together(*sessions: Session) -> Iterator[None]:
    with ExitStack() as stack:
        for session in sessions:
            stack.enter_context(session())
        yield


def autocast() -> AbstractContextManager[object]:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def strict_numpy() -> AbstractContextManager[object]:
    return np.errstate(all="raise")


SESSIONS: dict[str, Session] = {
    "float64": partial(default_dtype, torch.float64),
    "bfloat16": partial(default_dtype, torch.bfloat16),
    "meta": partial(default_device, "meta"),
    "cpu": partial(default_device, "cpu"),
    "meta_block": partial(torch.device, "meta"),
    "no_grad": torch.no_grad,
    "grad_disabled": no_gradients,
    "inference_mode": torch.inference_mode,
    "deterministic": deterministic,
    "medium": partial(products, "medium"),
    "autocast": autocast,
    "anomaly": partial(torch.autograd.set_detect_anomaly, True),
    "numpy_raises": strict_numpy,
}
MIXED: dict[str, Session] = {
    "all_float64": partial(
        together,
        *(SESSIONS[name] for name in ("float64", "meta", "inference_mode", "autocast", "deterministic")),
    ),
    "all_bfloat16": partial(
        together,
        *(SESSIONS[name] for name in ("bfloat16", "meta_block", "grad_disabled", "autocast", "anomaly")),
        SESSIONS["numpy_raises"],
    ),
}
ROUNDED = ("medium",)
"""Those in which products themselves are less exact, as the user wishes."""
