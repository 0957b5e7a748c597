"""The machine, in words without names or paths, and how fast it multiplies matrices right now."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from promptlet.backbones.arithmetic.products import ONEDNN

SHAPES = ((1024, 1024, 1024), (2048, 2048, 2048), (512, 512, 2048))  # (m, k, n): (m, k) x (k, n)
PROC = Path("/proc")


def describe(device: str) -> dict[str, Any]:
    """What a reader needs to judge a timing."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _field(PROC / "cpuinfo", "model name") or platform.processor() or "unknown",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": cores,
        "torch_threads": torch.get_num_threads(),
        "memory_gib": round(_kib(PROC / "meminfo", "MemTotal") / 2**20, 1),
        "gpu": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "transformers", "open_clip_torch", "numpy")},
    }


def matmul_rate(device: str, quick: bool = False, dtype: torch.dtype = torch.float32) -> dict[str, float]:
    """Best rate in GFLOP/s, in fp32 unless told otherwise: of `SHAPES` by `torch.mm` ("MxKxN"), of the large
    squares by the engine's kernel where it is another ("onednn MxKxN"), and the larger rate of the large
    squares ("best")."""
    seconds = 0.01 if quick else 0.3
    rates = {_name(shape): _rate(shape, device, seconds, torch.mm, dtype) for shape in SHAPES}
    squares = [_name(shape) for shape in SHAPES[:2]]
    if device == "cpu" and ONEDNN is not None:
        rates |= {
            f"onednn {_name(shape)}": _rate(shape, device, seconds, _onednn, dtype) for shape in SHAPES[:2]
        }
        squares += [f"onednn {name}" for name in squares]
    return {**rates, "best": max(rates[name] for name in squares)}


def _name(shape: tuple[int, int, int]) -> str:
    return "x".join(map(str, shape))


def _onednn(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    product: torch.Tensor = ONEDNN(a, b.t(), None, "none", [], "")
    return product


def _rate(
    shape: tuple[int, int, int],
    device: str,
    seconds: float,
    product: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    dtype: torch.dtype = torch.float32,
) -> float:
    m, k, n = shape
    a, b = (torch.ones(size, dtype=dtype, device=device) for size in ((m, k), (k, n)))
    product(a, b)
    best, deadline = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < deadline or best == float("inf"):
        synchronize(device)
        begin = time.perf_counter()
        product(a, b)
        synchronize(device)
        best = min(best, time.perf_counter() - begin)
    return 2 * m * k * n / best / 1e9


def synchronize(device: str) -> None:
    """Wait for the device to finish; nothing on a CPU."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def seconds_of(step: Callable[[], Any], device: str) -> float:
    """Wall time of one call."""
    synchronize(device)
    begin = time.perf_counter()
    step()
    synchronize(device)
    return time.perf_counter() - begin


def available_bytes() -> int:
    """Memory that a new allocation may take; 0 where the system does not say."""
    return _kib(PROC / "meminfo", "MemAvailable") * 1024


def resident_bytes() -> int:
    """Resident memory of this process now."""
    return _kib(PROC / "self/status", "VmRSS") * 1024


def reset_peak(device: str) -> int:
    """Forget the peak so far and return what is held now: bytes from which `peak_bytes` rises."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    if platform.system() == "Linux":
        ctypes.CDLL(None).malloc_trim(0)
        (PROC / "self/clear_refs").write_text("5")  # 5: reset the peak resident size
    return resident_bytes()


def peak_bytes(device: str) -> int:
    """Peak since `reset_peak`. VmHWM, not ru_maxrss: the latter begins with the parent's peak."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    return _kib(PROC / "self/status", "VmHWM") * 1024


def _kib(path: Path, name: str) -> int:
    text = _field(path, name)
    return int(text.split()[0]) if text else 0


def _field(path: Path, name: str) -> str | None:
    if path.is_file():
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
