"""How fast the device multiplies matrices and moves memory: by strict float32, TF32 and bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import machine

COLUMNS = (
    ("kind", "products", "s"),
    ("shape", "shape", "s"),
    ("tflops", "TFLOP/s", ".1f"),
    ("gb_s", "GB/s", ".0f"),
)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """A row per kind and shape, and one of memory."""
    progress("products")
    found = machine.card_rates(device, quick)
    rows: list[dict] = [
        {"kind": kind, "shape": shape, "tflops": rate / 1e3}
        for kind, rates in found.items()
        for shape, rate in rates.items()
    ]
    rows.append({"kind": "copy", "shape": "", "gb_s": machine.bandwidth(device, quick)})
    return {"numbers": "random, torch.mm, many between two waits, best of three"}, rows
