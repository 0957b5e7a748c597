"""Under what circumstances a number was measured."""

from __future__ import annotations

import platform
import sys
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

import torch

import promptlet
from promptlet.backbones import Backbone

LIBRARIES = ("torch", "transformers", "numpy")


def circumstances(backbone: Backbone) -> dict[str, Any]:
    """Backbone, device, threads, peak memory of this process so far (bytes), versions and the date (UTC)."""
    return {
        "backbone": {"name": backbone.name, "fingerprint": backbone.fingerprint},
        "device": str(backbone.device),
        "threads": torch.get_num_threads(),
        "peak_memory": peak_memory(),
        "versions": versions(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str]:
    """Of Promptlet, Python and what it computes with."""
    found = {"promptlet": promptlet.__version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in LIBRARIES}


def peak_memory() -> int | None:
    """The most bytes this process ever had in memory; None where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # Linux counts in KiB
