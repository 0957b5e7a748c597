"""What classes sampled for each step do to accuracy: validation images, validation classes, real photos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from benchmarks.validation import FOLDS, Bed, Problem, beds
from promptlet.evaluation.scores import harmonic_mean
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.new_names import LEARNED
from promptlet.training import SCHEDULES, resolve_schedule, train

METHOD_NAMES = ("rlp", "coop")
SHARES = (None, 1 / 2, 1 / 5, 1 / 10)
"""Of the taught classes; None: all of them in each step."""
SEEDS = (1, 2, 3)
COLUMNS = (
    ("data", "data", "s"),
    ("method", "method", "s"),
    ("classes", "classes", "d"),
    ("sampled_classes", "a step", "d"),
    ("runs", "runs", "d"),
    ("base", "taught", ".1f"),
    ("new", "new", ".1f"),
    ("H", "H", ".1f"),
    ("H_difference", "H - all's", "+.1f"),
    ("H_deviation", "(by run)", ".1f"),
    ("step_s", "step s", ".4f"),
    ("time_ratio", "seconds / all's", ".2f"),
)


def run(_device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: by data set, method and share, means over seeds and folds of classes."""
    rows: list[dict] = []
    for bed in _beds(quick):
        for name in METHOD_NAMES[:1] if quick else METHOD_NAMES:
            found: dict[float | None, list[dict[str, Any]]] = {share: [] for share in SHARES}
            for seed in SEEDS[:1] if quick else SEEDS:
                for fold in FOLDS:
                    problem = bed.problem(fold, seed)
                    progress(f"{bed.name}, {name}, seed {seed}, fold {fold}")
                    for share, records in found.items():
                        records.append(_trained(bed, name, problem, seed, share, 3 if quick else None))
            rows += [_row(bed.name, name, records, found[None]) for records in found.values()]
    settings = {
        "seeds": SEEDS,
        "shots": 16,
        "schedule": "adamw, which fast takes where steps have different losses",
        "new_names": "learned: what the learned context does to names that were not taught",
        "H": "of the accuracies among the taught and among the new names, on validation images",
        "H - all's": "run by run, and the deviation of these differences",
        "problems": "base classes of the data set, cut in two folds (benchmarks/validation.py)",
    }
    return settings, rows


def _beds(quick: bool) -> Iterator[Bed]:
    realbed = Path(os.environ.get("PROMPTLET_REALBED", "../shared/realbed"))
    if realbed.is_dir() and not quick:
        yield from beds(realbed, None, None)
        return
    yield next(beds(None, None, "mini"))


def _trained(
    bed: Bed, name: str, problem: Problem, seed: int, share: float | None, epochs: int | None
) -> dict[str, Any]:
    count = len(problem.taught)
    sampled = None if share is None else max(2, round(share * count))
    method = build_method(name, bed.backbone, problem.taught, seed=seed, new_names=LEARNED)
    alike = replace(SCHEDULES["fast"], **METHODS[name].info.fast)  # by AdamW, sampled or not
    schedule = resolve_schedule(alike, epochs=epochs, sampled_classes=sampled)
    result = train(method, problem.x[None], problem.y, schedule, seed=seed)
    is_base = problem.val_y < count
    base = _accuracy(method, problem.taught, problem.val_x[is_base], problem.val_y[is_base])
    new = _accuracy(method, problem.new, problem.val_x[~is_base], problem.val_y[~is_base] - count)
    steps = [one.seconds for one in result.history]
    return {
        "classes": count,
        "sampled_classes": sampled,
        "base": base,
        "new": new,
        "H": harmonic_mean(base, new),
        "step_s": float(np.median(steps)),
    }


def _accuracy(method: Method, names: tuple[str, ...], x: Tensor, y: Tensor) -> float:
    method.set_classes(names)
    return 100.0 * float((method.scorer()(x).argmax(1) == y).float().mean())


def _row(data: str, name: str, records: list[dict[str, Any]], whole: list[dict[str, Any]]) -> dict[str, Any]:
    means = {key: float(np.mean([one[key] for one in records])) for key in ("base", "new", "H")}
    differences = [one["H"] - other["H"] for one, other in zip(records, whole, strict=True)]
    step, of_all = (float(np.median([one["step_s"] for one in some])) for some in (records, whole))
    return {
        "data": data,
        "method": name,
        "classes": records[0]["classes"],
        "sampled_classes": records[0]["sampled_classes"],
        "runs": len(records),
        **means,
        "H_difference": float(np.mean(differences)),
        "H_deviation": float(np.std(differences)),
        "step_s": step,
        "time_ratio": step / of_all,
        "by_run": [[one["base"], one["new"]] for one in records],
    }
