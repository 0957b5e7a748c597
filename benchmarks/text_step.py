"""The text step by the engine and by the plain path, side by side in one process, taking turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchmarks import flops, isolated, machine, models, steps
from promptlet.backbones.text.encoder import TextEncoder

COUNTS = (10, 100, 1000)
ROUNDS = {10: 7, 100: 5, 1000: 3}  # few where the plain path takes minutes
MARGIN = 1.2  # a plain step runs only if this times its estimated memory is available
POSITIONS = 77
CAPTURED = "engine-captured"
"""On a card: the same step, replayed as a CUDA graph."""


@dataclass
class Case:
    """One way through one backbone."""

    backbone: str
    path: str
    text: TextEncoder
    step: steps.Step
    per_round: int = 1
    seconds: list[float] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.backbone}/{self.path}" + ("/bf16" if self.step.autocast else "")


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one row per number of classes and case."""
    counts = (5, 20) if quick else COUNTS
    encoders = {name: make(device, quick).text for name, make in models.BACKBONES.items()}
    rows: list[dict] = []
    per_class: dict[str, float] = {}  # bytes per class of each plain case, from the count before
    for count in counts:
        rows += _count(encoders, count, per_class, device, quick, progress)
    settings = {
        "counts": counts,
        "n_ctx": steps.N_CTX,
        "class_names": "every (1000/C)-th ImageNet class name",
        "weights": f"random, torch seed {models.SEED}",
        "order": "engine and plain take turns; the engine runs several times in each turn",
        "matmul_gflops": "best fp32 rate of squares of 1024 and 2048, by torch.mm or by the engine's "
        "kernel (the faster), before, between and after the rounds",
        "engine": _engine_settings(encoders["transformers"]),
    }
    return settings, rows


def _engine_settings(text: TextEncoder) -> dict[str, Any]:
    assert text.engine is not None
    return {"max_rows": text.engine.max_rows, "keep_bytes": text.engine.keep_bytes}


def _cases(encoders: dict[str, TextEncoder], names: list[str], device: str) -> list[Case]:
    found = []
    for autocast in steps.precisions(device):
        for backbone, text in encoders.items():
            for path, method in (("engine", text.encode), ("plain", text.encode_reference)):

                def encode(context: Tensor, method: Any = method) -> Tensor:
                    return method(context, names)

                step = steps.make_step(encode, text.dim, len(names), device, autocast)
                found.append(Case(backbone, path, text, step, per_round=4 if path == "engine" else 1))
                if path == "engine" and machine.on_gpu(device):
                    found.append(Case(backbone, CAPTURED, text, steps.captured(step), per_round=4))
    return found


def _count(
    encoders: dict[str, TextEncoder],
    count: int,
    per_class: dict[str, float],
    device: str,
    quick: bool,
    progress: Callable[[str], None],
) -> list[dict]:
    names, rounds = models.class_names(count), ROUNDS.get(count, 2) * (3 if machine.on_gpu(device) else 1)
    rows, ready, outputs = [], [], {}
    for case in _cases(encoders, names, device):
        estimate = per_class.get(case.key, 0.0) * count
        room = isolated.room_of(device)
        if case.path == "plain" and room and estimate * MARGIN > room:
            reason = f"needs about {estimate / 2**30:.0f} GiB, {room / 2**30:.0f} GiB are available"
            rows.append({**_head(case, count), "skipped": reason})
            progress(f"{count} classes, {case.key}: skipped, {reason}")
            continue
        progress(f"{count} classes, {case.key}: first run")
        held = machine.reset_peak(device)
        try:
            outputs[case.key] = case.step()  # also plans, warms up and measures memory
        except torch.cuda.OutOfMemoryError as error:
            rows.append({**_head(case, count), "skipped": f"out of memory: {str(error)[:200]}"})
            continue
        grown = machine.peak_bytes(device) - held
        per_class[case.key] = grown / count
        rows.append({**_head(case, count), "first_run_peak_bytes": grown})
        ready.append(case)
    matmul = [machine.matmul_rate(device, quick)]
    for turn in range(rounds):
        progress(f"{count} classes, round {turn + 1} of {rounds}")
        for case in ready:
            case.seconds += [case.step.seconds() for _ in range(case.per_round)]
        if machine.on_gpu(device) and turn + 1 < rounds:
            continue  # its rate takes longer than a round there
        matmul.append(machine.matmul_rate(device, quick))
    best = {name: max(rate[name] for rate in matmul) for name in matmul[0]}
    for row in rows:
        measured = next((c for c in ready if c.key == row["case"]), None)
        if measured is not None:
            row.update(_measured(measured, outputs, ready, names, best))
    return rows


def _head(case: Case, count: int) -> dict[str, Any]:
    return {"case": case.key, "backbone": case.backbone, "path": case.path, "classes": count}


def _measured(
    case: Case, outputs: dict[str, Any], ready: list[Case], names: list[str], matmul: dict[str, float]
) -> dict[str, Any]:
    timing = steps.spread(case.seconds)
    kind = ("bf16" if case.step.autocast else "fp32") if "bf16" in matmul else "best"
    row: dict[str, Any] = {**timing, "matmul_gflops": matmul, "of_matmul": kind}
    if case.path == "plain":
        return {**row, "positions": POSITIONS * len(names)}
    assert case.text.engine is not None
    work = flops.engine_work(case.text.engine, case.text.sequences(names, steps.N_CTX), steps.N_CTX)
    executed = flops.counted(getattr(case.step, "eager", case.step))
    row |= {
        "positions": work.rows,
        "work": {**asdict(work), "useful": work.useful, "counted": executed},
        "work_matches_count": executed == work.useful + work.recomputed,
        **steps.rates(work.useful, timing, matmul[kind]),
    }
    plain = next((c for c in ready if c.key == case.key.replace(case.path, "plain")), None)
    if plain is not None:
        other = steps.spread(plain.seconds)
        features, grad = outputs[case.key]
        plain_features, plain_grad = outputs[plain.key]
        row |= {
            "speedup_best": other["best_s"] / timing["best_s"],
            "speedup_median": other["median_s"] / timing["median_s"],
            "feature_max_abs_difference": float((features - plain_features).abs().max()),
            "feature_max_abs": float(plain_features.abs().max()),
            "gradient_relative_difference": float((grad - plain_grad).norm() / plain_grad.norm()),
        }
    exact = outputs.get(case.key.removesuffix("/bf16"))
    if case.step.autocast and exact is not None:
        row |= _against_exact(outputs[case.key], exact)
    return row


def _against_exact(found: tuple[Tensor, Tensor], exact: tuple[Tensor, Tensor]) -> dict[str, float]:
    """How near features and gradient of low precision are to the same engine's in float32."""
    cosines = torch.cosine_similarity(found[0].double(), exact[0].double(), dim=-1)
    gradient = torch.cosine_similarity(found[1].double().flatten(), exact[1].double().flatten(), dim=0)
    return {"feature_cosine_to_fp32": float(cosines.min()), "gradient_cosine_to_fp32": float(gradient)}


COLUMNS = (
    ("classes", "classes", "d"),
    ("case", "case", "s"),
    ("positions", "positions", "d"),
    ("median_s", "median s", ".4f"),
    ("best_s", "best s", ".4f"),
    ("repeats", "n", "d"),
    ("speedup_median", "plain/engine", ".1f"),
    ("speedup_best", "(best)", ".1f"),
    ("gflops_median", "GFLOP/s", ".0f"),
    ("share_median", "of matmul", ".0%"),
    ("floor_s", "floor s", ".4f"),
    ("gradient_relative_difference", "grad diff", ".0e"),
    ("gradient_cosine_to_fp32", "grad cosine to fp32", ".6f"),
    ("skipped", "", "s"),
)
