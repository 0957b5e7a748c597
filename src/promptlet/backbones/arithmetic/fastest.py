"""Whether this machine multiplies in bfloat16 faster than in float32: asked of it, measured once, remembered.

A processor without instructions for bfloat16 still computes in it, several times slower than in float32. One
that has them is measured on products of the tower's own shape: both dtypes take turns, and the best of each
counts, since what other programs take away at a moment only adds. What was found is remembered in the user's
cache folder, so that the same machine always decides alike. One thread of one process measures at a time,
and the others take its answer.
"""

from __future__ import annotations

import hashlib
import platform
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet.backbones.arithmetic.layers import Linear
from promptlet.backbones.arithmetic.precision import MIXED
from promptlet.backbones.arithmetic.products import ONEDNN, linear, linear_backward
from promptlet.data.cache.agreed import in_turn, remember, remembered
from promptlet.session import precision

ROWS = 512
"""Of the products that are measured: about a chunk of either engine."""
SECONDS = 0.2
ROUNDS = 3
"""At least so many turns, whatever they take."""
GAIN = 1.3
"""How many times as fast products must be. Below that, the features' last digits are worth more."""
INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16", "arm_bf16")
"""As torch, and Linux, call them."""
PROCESSOR = Path("/proc/cpuinfo")
_found: dict[str, bool] = {}
_finding = threading.Lock()
Way = Callable[[], Any]


def is_native(device: torch.device) -> bool:
    """Whether it has instructions for products in bfloat16."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and _in_processor()


def is_faster(shape: tuple[int, int], device: torch.device) -> bool:
    """Whether products with a weight (out, in) are at least `GAIN` times as fast in bfloat16 there."""
    return _is_faster(str(shape), partial(gain, shape), device)


def engine_is_faster(shape: tuple[int, int], device: torch.device) -> bool:
    """Whether the engines' float32 products with a weight (out, in) are at least `GAIN` times as fast as
    those of torch's own layers: seen on a processor of AMD, where torch's layers take MKL."""
    if device.type != "cpu" or ONEDNN is None:
        return False
    return _answer(f"engine {shape}", partial(_engine_gain, shape), device)


def is_faster_way(what: str, exact: Way, mixed: Way, device: torch.device) -> bool:
    """The same of two ways to compute ``what``, a word for all that the answer depends on beside the
    machine. Where the second cannot be gone, which layers of libraries may have no bfloat16 for, it is not
    faster; on a GPU that is all that is asked, once in a process."""

    def compared() -> float:
        try:
            return _times_as_fast(exact, mixed)
        except Exception:
            return 0.0

    if device.type == "cuda":
        return is_native(device) and _once(_key(f"{device} {what}", device), partial(_can_be_gone, mixed))
    return _is_faster(what, compared, device)


def _can_be_gone(way: Way) -> bool:
    try:
        way()
    except Exception:
        return False
    return True


def _is_faster(what: str, compared: Callable[[], float], device: torch.device) -> bool:
    if not is_native(device):
        return False
    if device.type == "cuda":  # several times the rate, in every one that has it
        return True
    return _answer(what, compared, device)


def _answer(what: str, compared: Callable[[], float], device: torch.device) -> bool:
    """What is known, else what is measured now."""
    key = _key(what, device)
    return _once(key, partial(_remembered, key, compared))


def _once(key: str, find: Callable[[], bool]) -> bool:
    """What this process knows, else what it finds now."""
    if key not in _found:
        with _finding:
            if key not in _found:
                _found[key] = find()
    return _found[key]


def _remembered(key: str, compared: Callable[[], float]) -> bool:
    known = _known(key)
    if known is None:
        with in_turn():
            known = _known(key)  # another process may have found it meanwhile
            if known is None:
                known = compared() >= GAIN
                remember(f"{key}-{known}")
    return known


def _known(key: str) -> bool | None:
    lines = remembered()
    return next((answer for answer in (True, False) if f"{key}-{answer}" in lines), None)


def gain(shape: tuple[int, int]) -> float:
    """How many times as fast a product with a weight (out, in), and one with its transpose, are."""
    layer = Linear(torch.full(shape, 0.5, dtype=torch.float32, device="cpu"), None)
    rows = torch.full((ROWS, shape[1]), 0.5, dtype=torch.float32, device="cpu")

    def way(x: Tensor) -> Way:
        return lambda: linear_backward(layer, linear(layer, x))

    with torch.inference_mode(False), torch.no_grad():
        return _times_as_fast(way(rows), way(rows.to(MIXED)))


def _engine_gain(shape: tuple[int, int]) -> float:
    weight = torch.full(shape, 0.5, dtype=torch.float32, device="cpu")
    rows = torch.full((ROWS, shape[1]), 0.5, dtype=torch.float32, device="cpu")
    with torch.inference_mode(False), torch.no_grad():
        return _times_as_fast(lambda: F.linear(rows, weight), lambda: linear(Linear(weight, None), rows))


def _times_as_fast(first: Way, second: Way) -> float:
    """How many times as fast as the first the second is."""
    ways, best = (first, second), [float("inf"), float("inf")]
    for way in ways:  # copies are made, kernels are built
        way()
    turns, deadline = 0, time.perf_counter() + SECONDS
    while turns < ROUNDS or time.perf_counter() < deadline:
        turns += 1
        for i, way in enumerate(ways):
            began = time.perf_counter()
            way()
            best[i] = min(best[i], time.perf_counter() - began)
    return best[0] / best[1]


@cache
def _in_processor() -> bool:
    """What torch says; where it does not, what Linux does."""
    ask: Any = getattr(torch.cpu, "get_capabilities", None)  # since 2.10
    if ask is not None:
        try:
            found = dict(ask())
        except Exception:
            found = {}
        if found:
            return any(found.get(name) for name in INSTRUCTIONS)
    try:
        words = PROCESSOR.read_text(errors="replace").split()
    except OSError:
        return False
    return any(name in words for name in INSTRUCTIONS)


def _key(what: str, device: torch.device) -> str:
    """Of a question: what the answer depends on, without the machine's name."""
    told = [
        *(platform.machine(), _processor(), torch.backends.cpu.get_cpu_capability()),
        *(torch.__version__, str(torch.backends.mkldnn.enabled), precision(device)),
        *(str(torch.get_num_threads() > 1), what),
    ]
    return "bfloat16-" + hashlib.sha256("|".join(told).encode()).hexdigest()[:24]


def _processor() -> str:
    """Its model, as Linux or Python says it."""
    try:
        for line in PROCESSOR.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line
    except OSError:
        pass
    return platform.processor()
