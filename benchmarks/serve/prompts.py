"""A bank of 1, 1,000 and 10,000 prompts: start, memory, cold and warm answers, many prompts at once."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clip_folder import make_clip
from benchmarks.serve import load, material
from benchmarks.serve.server import Server, served

COUNTS = (1, 1000, 10_000)
TOGETHER = (1, 10, 100, 1000)
ASKED = 40
OPTIONS = ("--set", "class_cache=off", "--set", "recent_bytes=0", "--set", "max_answers=1000000")
BACKBONE = "ViT-B/16 (random)"
COLUMNS = (
    ("prompts", "prompts", "d"),
    ("what", "what", "s"),
    ("together", "in a request", "d"),
    ("start_s", "start s", ".1f"),
    ("resident_mib", "memory MiB", ".0f"),
    ("p50_ms", "p50 ms", ".1f"),
    ("p99_ms", "p99 ms", ".1f"),
    ("ratio", "times one prompt", ".2f"),
)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: for each bank its start, cold and warm prompts, and prompts together."""
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        source = str(make_clip(place / "clip", quick))
        for count in (1, 20) if quick else COUNTS:
            progress(f"{count:,} prompts of {material.CLASSES} classes")
            names = material.write_bank(place / f"bank-{count}", source, count)
            with served(place / f"bank-{count}", source, *OPTIONS) as server:
                rows += _of(server, names, progress)
    settings = {
        "classes": material.CLASSES,
        "cold": "class features are computed for the request, one request at a time",
        "warm": "they were",
        "device": device,
        "together": "one image, which is encoded each time, and prompts that were asked before",
    }
    return settings, rows


def _of(server: Server, names: Sequence[str], progress: Callable[[str], None]) -> list[dict]:
    draw = random.Random(0)
    image, count = material.jpegs(material.SIZES[BACKBONE], 1)[0], len(names)
    rows = [
        {
            "prompts": count,
            "what": "start",
            "start_s": server.start_s,
            "resident_mib": server.resident_bytes / 2**20,
        }
    ]
    asked = draw.sample(list(names), min(ASKED, count))
    for what in ("cold", "warm"):
        seconds = [_seconds(server.port, load.predict([image], [name])) for name in asked]
        rows.append({"prompts": count, "what": what, **_spread(seconds)})
    one = 0.0
    for together in (number for number in TOGETHER if number <= count):
        some = draw.sample(list(names), together)
        request = load.predict([image], some)
        progress(f"{together:,} prompts in a request")
        _seconds(server.port, request)  # now their class features are there
        told = _spread([_seconds(server.port, request) for _ in range(10)])
        one = one or told["p50_ms"]
        rows.append(
            {
                "prompts": count,
                "what": "together",
                "together": together,
                **told,
                "ratio": told["p50_ms"] / one,
            }
        )
    rows.append({"prompts": count, "what": "end", "resident_mib": server.resident_bytes / 2**20})
    return rows


def _seconds(port: int, request: bytes) -> float:
    seconds, status, body = load.once(port, request)
    if status != 200:
        raise RuntimeError(f"{status}: {body[:300]!r}")
    return seconds


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{share}_ms": 1000 * float(np.percentile(seconds, share)) for share in (50, 99)}
