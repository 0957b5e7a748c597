"""A measurement in a fresh process: its memory is then its own.

A card's memory is counted apart from what else the process holds, so that there the measurement runs here: no
time goes by for the start of a process.
"""

from __future__ import annotations

import gc
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine

ROOT = Path(__file__).resolve().parents[1]
MARGIN = 1.2  # it is started only if this times the memory it is thought to need is available


def measured(module: str, arguments: Sequence[object], device: str, needed: float = 0.0) -> dict[str, Any]:
    """What ``python -m module arguments`` prints as JSON on its last line; "skipped" with a reason if not.

    On a card: what ``measure(*arguments)`` of the module returns."""
    room = room_of(device)
    if room and needed * MARGIN > room:
        return {"skipped": f"needs about {needed / 2**30:.0f} GiB, {room / 2**30:.0f} GiB are available"}
    if machine.on_gpu(device):
        return _measured_here(module, arguments)
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"skipped": f"failed ({done.returncode}): {done.stderr[-300:]}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def room_of(device: str) -> int:
    """Bytes that are free there; 0 where nobody says."""
    if not machine.on_gpu(device):
        return machine.available_bytes()
    gc.collect()
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)[0]


def _measured_here(module: str, arguments: Sequence[object]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = importlib.import_module(module).measure(*arguments)
    except torch.cuda.OutOfMemoryError as error:
        return {"skipped": f"out of memory: {str(error)[:200]}"}
    return found


def step_memory(step: Callable[[], object], device: str) -> dict[str, int]:
    """Peak of the first two calls of ``step``, in bytes, and what of it was held before."""
    baseline = machine.reset_peak(device)
    step()
    step()
    peak = machine.peak_bytes(device)
    return {"baseline_bytes": baseline, "peak_bytes": peak, "step_bytes": peak - baseline}
