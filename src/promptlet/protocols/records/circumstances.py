"""Under what circumstances a number was measured."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import promptlet
from promptlet.backbones import Backbone

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")  # of Linux
LIBRARIES = ("torch", "transformers", "numpy")


def circumstances(backbone: Backbone) -> dict[str, Any]:
    """Backbone, device, threads, peak memory (bytes), versions and the date (UTC).

    Of a backbone without towers also what its file holds, which its name does not tell.
    """
    facts = {} if backbone.has_towers else backbone.facts
    return {
        "backbone": {"name": backbone.name, "fingerprint": backbone.fingerprint, **facts},
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


def reset_peak_memory() -> None:
    """Let `peak_memory` count from now on, where the system can (Linux); elsewhere nothing happens."""
    with suppress(OSError):
        CLEAR.write_text("5")


def peak_memory() -> int | None:
    """The most bytes this process had in memory since `reset_peak_memory`, or ever where that does nothing.

    All that it holds counts, for whatever run it was loaded. None where the system does not tell (Windows).
    """
    with suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # others count in KiB
