"""Base-to-new generalisation: train on half of the classes, answer among that half, and among the other half.

As CoOp's code does it (CoCoOp, arXiv 2203.05557, section 4.1): the shots are drawn first and the classes cut
afterwards; base is the first ceil(n / 2) labels; base images are classified among base names only, new images
among new names only; top-1 over all test images.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from promptlet.data import Split, base_new, sample_shots
from promptlet.evaluation import harmonic_mean
from promptlet.methods import Method
from promptlet.promptfile import dumps
from promptlet.protocols.circumstances import circumstances
from promptlet.protocols.datasets import BenchDataset, FeatureSource
from promptlet.protocols.fitting import (
    OnEpoch,
    check_asked,
    drawn_from,
    file_of,
    fit,
    new_method,
    record_of,
    what_it_took,
)
from promptlet.protocols.measures import BASE_TO_NEW
from promptlet.protocols.planning import MethodSpec, Settings, plan_runs
from promptlet.protocols.runs import Run
from promptlet.protocols.scoring import check_test, scores

NAME = BASE_TO_NEW


def plan(
    datasets: Sequence[BenchDataset],
    methods: Sequence[MethodSpec],
    shots: Sequence[int],
    seeds: Sequence[int],
    fingerprint: str,
    dtype: str = "float32",
    settings: Settings | None = None,
) -> list[Run]:
    """The runs asked for."""
    return plan_runs(NAME, datasets, methods, shots, seeds, fingerprint, dtype, settings)


def execute(
    run: Run, dataset: BenchDataset, source: FeatureSource, on_epoch: OnEpoch | None = None
) -> dict[str, Any]:
    """Train once, evaluate both halves; what is stored of it. Raises PromptletError with the reason."""
    began = time.perf_counter()
    base, new = base_new(sample_shots(dataset.split, run.shots, run.seed, run.sampler))
    for half, split in (("base", base), ("new", new)):
        check_test(dataset, split, NAME, f" of the {half} classes ({split.class_names[0]!r}, ...)")
    check_asked(run, base.class_names, new.class_names)
    method = new_method(run, base.class_names, new.class_names, source)
    result = fit(run, method, dataset, base, source, on_epoch)
    measured = {
        **_of_half("base", method, dataset, base, source),
        **_of_half("new", method, dataset, new, source),
    }
    both = {name: measured[name] for name in ("base", "new")}
    size = len(dumps(file_of(run, method, base), method.stored_precision()))
    return record_of(
        run,
        {**both, "H": harmonic_mean(*both.values()), **measured},
        what_it_took(method, result, size),
        time.perf_counter() - began,
        drawn_from(run, dataset, base),
        source=dataset.source,
        **circumstances(source.backbone),
    )


def _of_half(
    half: str, method: Method, dataset: BenchDataset, split: Split, source: FeatureSource
) -> dict[str, Any]:
    found = scores(method, dataset, split, source)
    return {half if name == "accuracy" else f"{half}_{name}": value for name, value in found.items()}
