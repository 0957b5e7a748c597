"""The machine, in words without names or paths, and how fast it multiplies matrices right now."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
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
        "gpu": torch.cuda.get_device_name(device) if on_gpu(device) else None,
        **(_gpu(device) if on_gpu(device) else {}),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "transformers", "open_clip_torch", "numpy")},
    }


def on_gpu(device: str) -> bool:
    """Whether ``device`` is a CUDA one."""
    return device.startswith("cuda")


def _gpu(device: str) -> dict[str, Any]:
    """What else a reader needs of a card."""
    about = torch.cuda.get_device_properties(device)
    return {
        "gpu_memory_gib": round(about.total_memory / 2**30, 1),
        "gpu_processors": about.multi_processor_count,
        "gpu_capability": f"{about.major}.{about.minor}",
        "gpu_driver": _driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "torchvision": _version("torchvision"),
    }


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
        return told.split("\n")[0].strip() or None
    return None


KINDS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
"""Arithmetic of products: strict float32, TF32, bfloat16."""
LARGE, OF_TOWER = (8192, 8192, 8192), ((1024, 512, 2048), (4096, 512, 2048))
"""Products that fill a card, and the text tower's own, of a chunk's rows."""


@contextlib.contextmanager
def products(kind: str) -> Iterator[None]:
    """float32 products as TF32 for a while, where ``kind`` says so; strict ones else."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def card_rates(device: str, quick: bool = False) -> dict[str, dict[str, float]]:
    """GFLOP/s of `torch.mm` by kind of arithmetic and shape ("MxKxN"), on random numbers; many products
    between two waits, so that their start is not what is timed."""
    shapes = ((256, 256, 256),) if quick else (LARGE, *OF_TOWER)
    rates: dict[str, dict[str, float]] = {}
    for kind, dtype in KINDS.items():
        with products(kind):
            rates[kind] = {
                _name(shape): _many(shape, device, dtype, 0.02 if quick else 0.1) for shape in shapes
            }
    return rates


def _many(shape: tuple[int, int, int], device: str, dtype: torch.dtype, seconds: float) -> float:
    """The best of three goes of as many products as take about ``seconds``."""
    m, k, n = shape
    a, b = (torch.randn(*sides, device=device).to(dtype) for sides in ((m, k), (k, n)))
    out = torch.empty(m, n, device=device, dtype=dtype)

    def go(count: int) -> float:
        synchronize(device)
        begin = time.perf_counter()
        for _ in range(count):
            torch.mm(a, b, out=out)
        synchronize(device)
        return (time.perf_counter() - begin) / count

    go(3)
    count = max(3, min(10000, int(seconds / go(3))))
    return 2 * m * k * n / min(go(count) for _ in range(3)) / 1e9


@functools.cache
def best_rates(device: str, quick: bool = False) -> dict[str, float]:
    """The best of `card_rates` by kind, fp32's again as "best"; measured once, as nobody shares a card."""
    best = {kind: max(found.values()) for kind, found in card_rates(device, quick).items()}
    return {**best, "best": best["fp32"]}


def bandwidth(device: str, quick: bool = False) -> float:
    """GB/s of a copy from the device's memory to it, bytes read and written."""
    numbers = torch.empty((1 << 20) if quick else (1 << 28), device=device)
    other = torch.empty_like(numbers)
    other.copy_(numbers)
    best = min(seconds_of(lambda: other.copy_(numbers), device) for _ in range(10))
    return 2 * numbers.numel() * numbers.element_size() / best / 1e9


def matmul_rate(device: str, quick: bool = False, dtype: torch.dtype = torch.float32) -> dict[str, float]:
    """On a card `best_rates`. On a CPU, best rate in GFLOP/s, in fp32 unless told otherwise: of `SHAPES` by
    `torch.mm` ("MxKxN"), of the large squares by the engine's kernel where it is another ("onednn MxKxN"),
    and the larger rate of the large squares ("best")."""
    if on_gpu(device):
        return best_rates(device, quick)
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
    if on_gpu(device):
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
    if on_gpu(device):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    if platform.system() == "Linux":
        ctypes.CDLL(None).malloc_trim(0)
        (PROC / "self/clear_refs").write_text("5")  # 5: reset the peak resident size
    return resident_bytes()


def peak_bytes(device: str) -> int:
    """Peak since `reset_peak`. VmHWM, not ru_maxrss: the latter begins with the parent's peak."""
    if on_gpu(device):
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
