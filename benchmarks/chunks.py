"""How many rows a chunk should have: seconds and memory of one step for each ``max_rows``, taking turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import product
from typing import Any

from torch import Tensor

from benchmarks import flops, machine, models, steps
from promptlet.backbones.text.engine import TextEngine

MAX_ROWS = (256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
ON_A_CARD = (512, 1024, 2048, 4096, 8192)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one row per ``max_rows``; on a card in both precisions."""
    on_gpu = machine.on_gpu(device)
    count, sweep, rounds = (50, (64, 256), 2) if quick else (1000, ON_A_CARD if on_gpu else MAX_ROWS, 5)
    text = models.transformers_backbone(device, quick).text
    assert text.engine is not None
    sequences = text.sequences(models.class_names(count), steps.N_CTX)
    tried: list[tuple[TextEngine, steps.Step, list[float], list[int]]] = []
    for autocast, max_rows in product(steps.precisions(device), sweep):
        engine = TextEngine(text.engine.tower, text.engine.start_id, max_rows=max_rows)

        def encode(context: Tensor, engine: TextEngine = engine) -> Tensor:
            return engine.encode(context[None, None], sequences)[0]

        step = steps.make_step(encode, text.dim, count, device, autocast)
        step()
        tried.append((engine, step, [], []))
    matmul = [machine.matmul_rate(device, quick)]
    for turn in range(rounds):
        progress(f"round {turn + 1} of {rounds}")
        for _, step, seconds, peaks in tried:
            held = machine.reset_peak(device)
            step()
            peaks.append(machine.peak_bytes(device) - held)
            seconds += [step.seconds(), step.seconds()]
        matmul.append(machine.matmul_rate(device, quick))
    rows = []
    for engine, step, seconds, peaks in tried:
        rate = max(one["bf16" if step.autocast else "best"] for one in matmul)
        work, timing = flops.engine_work(engine, sequences, steps.N_CTX), steps.spread(seconds)
        rows.append(
            {
                "max_rows": engine.max_rows,
                "precision": steps.word_of(step.autocast),
                "default": engine.max_rows == text.engine.max_rows,
                "keep_bytes": engine.keep_bytes,
                **timing,
                "step_bytes": max(peaks),
                "work": {**asdict(work), "useful": work.useful},
                "chunks": work.chunks,
                "recomputed_chunks": work.recomputed_chunks,
                **steps.rates(work.useful, timing, rate),
            }
        )
    settings = {
        "classes": count,
        "n_ctx": steps.N_CTX,
        "backbone": "transformers",
        "matmul_gflops": max(one["best"] for one in matmul),
        "step_bytes": "peak resident memory of a step above what was held before it (on a card, torch's "
        "allocated memory), largest of the rounds",
    }
    return settings, rows


COLUMNS = (
    ("max_rows", "max_rows", "d"),
    ("precision", "products", "s"),
    ("chunks", "chunks", "d"),
    ("recomputed_chunks", "recomputed", "d"),
    ("median_s", "median s", ".3f"),
    ("best_s", "best s", ".3f"),
    ("step_bytes", "memory", "MiB"),
    ("gflops_median", "GFLOP/s", ".0f"),
    ("share_median", "of matmul", ".0%"),
)
