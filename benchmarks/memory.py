"""Peak memory of a fresh process for a text step of the engine and for a fit; seconds beside it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks import flops, isolated, machine, models, steps
from benchmarks.many_classes import fits

COUNTS = (1000, 20000)
STEP, TRAINING = "text step", "fit"


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one row per number of classes, each from a process of its own."""
    counts = (50,) if quick else COUNTS
    rows = []
    for count in counts:
        progress(f"{count} classes, in a process of its own")
        found = isolated.measured("benchmarks.memory", [count, device, int(quick)], device)
        rows.append({"what": STEP, "classes": count, **found})
    rows += [_training(count, device, quick, progress) for count in counts]
    settings = {
        "training": "promptlet fit of a feature file with 16 images a class, by rlp and fast: of its epochs, "
        "which are one step each, the first; as in many-classes",
        "counts": counts,
        "n_ctx": steps.N_CTX,
        "backbone": "transformers",
        "peak": "resident memory (VmHWM) of the whole process; with --device cuda, torch's allocated memory",
        "baseline": "held just before the first step: interpreter, torch and the model",
        "synthetic": "names past the first 1,000 are put together from ImageNet's",
    }
    return settings, rows


def _training(count: int, device: str, quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """One epoch of a whole fit: the data, the loss of all its images and what is done around it."""
    progress(f"{count} classes x {fits.SHOTS} images, one epoch of a fit")
    with tempfile.TemporaryDirectory() as place:
        file = fits.write(Path(place), count, quick)
        given = [count, file, 0, 1, device, int(quick)]
        found = isolated.measured("benchmarks.many_classes.fits", given, device)
    if "peak_bytes" in found:
        found["step_bytes"] = found["peak_bytes"] - found["baseline_bytes"]
    return {"what": TRAINING, "classes": count, **found}


def measure(count: int, device: str, quick: bool) -> dict[str, Any]:
    """The row of this process. The peak is that of the first two steps: plan, step, and a step after it."""
    if quick:
        torch.set_num_threads(1)
    text = models.transformers_backbone(device, quick).text
    assert text.engine is not None
    names = models.class_names(count)
    step = steps.make_step(lambda context: text.encode(context, names), text.dim, count, device)
    baseline = machine.reset_peak(device)
    first = step.seconds()
    again = [step.seconds()]
    peak = machine.peak_bytes(device)
    matmul = [machine.matmul_rate(device, quick)["best"]]
    again += [step.seconds() for _ in range(1 if count > 5000 else 3)]  # a step of 20,000 takes minutes
    matmul.append(machine.matmul_rate(device, quick)["best"])
    timing = steps.spread(again)
    sequences = text.sequences(names, steps.N_CTX)
    work = flops.engine_work(text.engine, sequences, steps.N_CTX)
    return {
        "classes": count,
        "synthetic_names": models.synthetic(count),
        "tokens_per_name": sum(map(len, sequences)) / count,
        "max_rows": text.engine.max_rows,
        "keep_bytes": text.engine.keep_bytes,
        "baseline_bytes": baseline,
        "peak_bytes": peak,
        "step_bytes": peak - baseline,
        "first_s": first,
        **timing,
        "work": {**asdict(work), "useful": work.useful},
        "matmul_gflops": max(matmul),
        "recomputed_share": work.recomputed / (work.useful + work.recomputed),
        **steps.rates(work.useful, timing, max(matmul)),
    }


COLUMNS = (
    ("what", "what", "s"),
    ("classes", "classes", "d"),
    ("baseline_bytes", "baseline", "MiB"),
    ("peak_bytes", "peak", "MiB"),
    ("step_bytes", "of the step", "MiB"),
    ("first_s", "first s", ".2f"),
    ("median_s", "median s", ".3f"),
    ("best_s", "best s", ".3f"),
    ("gflops_median", "GFLOP/s", ".0f"),
    ("share_median", "of matmul", ".0%"),
    ("recomputed_share", "recomputed", ".0%"),
    ("skipped", "", "s"),
)

if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2], bool(int(sys.argv[3])))))
