"""A whole ``promptlet fit``, from JPEGs and nothing cached to a written prompt, beside CoOp's own way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clip_folder import make_clip
from benchmarks.fit.material import Photos, make_photos
from benchmarks.fit.ours import PARTS
from benchmarks.isolated import ROOT
from promptlet.training import SCHEDULES

CLASSES, SHOTS, SIZE = 20, 16, (500, 375)
DTYPES = ("float32", "auto")
MEASURED = 3
COOP = "the way of CoOp's code"
COLUMNS = (
    ("way", "way", "s"),
    ("dtype", "dtype", "s"),
    *((part, part, ".1f") for part in PARTS),
    ("seconds", "seconds", ".1f"),
    ("without_estimate", "without the estimate", ".1f"),
    ("ratio", "CoOp's way / this", ".1f"),
    ("skipped", "", "s"),
)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: ours by schedule and arithmetic, and CoOp's way, extrapolated from its epochs."""
    classes, shots = (3, 4) if quick else (CLASSES, SHOTS)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        progress(f"{classes} x {shots} JPEGs of {SIZE[0]} x {SIZE[1]}, and a CLIP folder")
        photos = make_photos(place / "photos", classes, shots, SIZE)
        model = make_clip(place / "clip", quick)
        rows = []
        for way, given in _ways(quick):
            for dtype in DTYPES if way == "fast" else DTYPES[:1]:
                progress(f"promptlet fit, {way}, {dtype}")
                rows.append(
                    {
                        "way": way,
                        "dtype": dtype,
                        **_ours(place, photos, model, [*given, "--dtype", dtype], device),
                    }
                )
        progress(f"{COOP}, {MEASURED} epochs")
        coop = _coop_way(place, photos, model, device, quick)
    for row in rows:
        if "without_estimate" in row:
            row["ratio"] = coop["seconds"] / row["without_estimate"]
    settings = {
        "classes": classes,
        "shots": shots,
        "pixels": SIZE,
        "bytes_per_image": photos.bytes / photos.count,
        "backbone": "CLIP with random weights, " + ("tiny towers" if quick else "ViT-B/16's size"),
        "seconds": "wall time of the whole process, from its being asked for to its end",
        "parts": "on the main thread; decoding goes on beside encoding, and only what is waited for counts",
        "ratio": "of whole processes, ours without the estimate, which CoOp's code does not make",
        "coop_way": f"start, and {SCHEDULES['coop'].epochs} epochs: extrapolated from {MEASURED} measured",
    }
    return settings, [*rows, coop]


def _ways(quick: bool) -> Sequence[tuple[str, list[str]]]:
    """What ``promptlet fit`` is told: nothing; CoOp's learned context; and its schedule, too."""
    short = ["--epochs", "2"] if quick else []
    coop = ["--method", "coop", "--estimate", "none", *short]
    return (
        ("fast", short),
        ("fast, coop's context", coop),
        ("coop's context and schedule", [*coop, "--schedule", "coop"]),
    )


def _ours(place: Path, photos: Photos, model: Path, given: list[str], device: str) -> dict[str, Any]:
    """Parts and seconds of one process with an empty cache."""
    with tempfile.TemporaryDirectory(dir=place) as own:
        out = Path(own) / "parts.json"
        command = [
            str(photos.folder),
            "--out",
            str(Path(own) / "x.prompt"),
            "--backbone",
            str(model),
            "--json",
        ]
        command += ["--device", device, *given]
        seconds, done = _process(
            "benchmarks.fit.ours", out, command, {"PROMPTLET_CACHE": str(Path(own) / "cache")}
        )
        if done.returncode:
            return {"skipped": f"failed ({done.returncode}): {done.stderr.strip()[-200:]}"}
        told = json.loads(done.stdout)
        parts = json.loads(out.read_text())
    row = {**dict.fromkeys(PARTS, 0.0), **parts}
    return {
        **row,
        "other": seconds - sum(parts.values()),
        "seconds": seconds,
        "without_estimate": seconds - row["estimate"],
        "epochs": told["epochs"],
        "method": told["method"],
        "estimate_way": told["estimate"]["way"],
        "prompt_bytes": told["bytes"],
    }


def _coop_way(place: Path, photos: Photos, model: Path, device: str, quick: bool) -> dict[str, Any]:
    out = place / "coop.json"
    threads = ["1"] if quick else []
    command = [str(photos.folder), str(model), str(MEASURED), device, *threads]
    _, done = _process("benchmarks.fit.coop_way", out, command, {})
    if done.returncode:
        raise RuntimeError(f"{COOP} failed: {done.stderr.strip()[-500:]}")
    found = json.loads(out.read_text())
    epochs = SCHEDULES["coop"].epochs
    means = _means(found["epochs"])
    parts = {part: epochs * means[part] for part in ("wait for files and pixels", "encode", "text steps")}
    seconds = found["start"] + epochs * means["seconds"]
    return {
        "way": COOP,
        "dtype": "float32",
        "start": found["start"],
        **parts,
        "other": seconds - found["start"] - sum(parts.values()),
        "seconds": seconds,
        "without_estimate": seconds,
        "epochs": epochs,
        "steps_per_epoch": found["steps"],
        "measured_epochs": found["epochs"],
    }


def _means(reports: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: sum(one[key] for one in reports) / len(reports) for key in reports[0]}


def _process(
    module: str, out: Path, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Wall seconds of ``python -m module NOW out arguments``, and how it ended."""
    began = time.time()
    command = [sys.executable, "-m", module, str(began), str(out), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return time.time() - began, done
