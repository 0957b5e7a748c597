"""How many rows a chunk should have: seconds and memory of one step for each ``max_rows``, taking turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from torch import Tensor

from benchmarks import flops, machine, models, steps
from promptlet.backbones.text.engine import TextEngine

MAX_ROWS = (256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one row per ``max_rows``."""
    count, sweep, rounds = (50, (64, 256), 2) if quick else (1000, MAX_ROWS, 5)
    text = models.transformers_backbone(device, quick).text
    assert text.engine is not None
    sequences = text.sequences(models.class_names(count), steps.N_CTX)
    tried: list[tuple[TextEngine, steps.Step, list[float], list[int]]] = []
    for max_rows in sweep:
        engine = TextEngine(text.engine.tower, text.engine.start_id, max_rows=max_rows)

        def encode(context: Tensor, engine: TextEngine = engine) -> Tensor:
            return engine.encode(context[None, None], sequences)[0]

        step = steps.make_step(encode, text.dim, count, device)
        step()
        tried.append((engine, step, [], []))
    matmul = [machine.matmul_rate(device, quick)["best"]]
    for turn in range(rounds):
        progress(f"round {turn + 1} of {rounds}")
        for _, step, seconds, peaks in tried:
            held = machine.reset_peak(device)
            step()
            peaks.append(machine.peak_bytes(device) - held)
            seconds += [step.seconds(), step.seconds()]
        matmul.append(machine.matmul_rate(device, quick)["best"])
    rows = []
    for engine, _, seconds, peaks in tried:
        work, timing = flops.engine_work(engine, sequences, steps.N_CTX), steps.spread(seconds)
        rows.append(
            {
                "max_rows": engine.max_rows,
                "default": engine.max_rows == text.engine.max_rows,
                "keep_bytes": engine.keep_bytes,
                **timing,
                "step_bytes": max(peaks),
                "work": {**asdict(work), "useful": work.useful},
                "chunks": work.chunks,
                "recomputed_chunks": work.recomputed_chunks,
                **steps.rates(work.useful, timing, max(matmul)),
            }
        )
    settings = {
        "classes": count,
        "n_ctx": steps.N_CTX,
        "backbone": "transformers",
        "matmul_gflops": max(matmul),
        "step_bytes": "peak resident memory of a step above what was held before it, largest of the rounds",
    }
    return settings, rows


COLUMNS = (
    ("max_rows", "max_rows", "d"),
    ("chunks", "chunks", "d"),
    ("recomputed_chunks", "recomputed", "d"),
    ("median_s", "median s", ".3f"),
    ("best_s", "best s", ".3f"),
    ("step_bytes", "memory", "MiB"),
    ("gflops_median", "GFLOP/s", ".0f"),
    ("share_median", "of matmul", ".0%"),
)
