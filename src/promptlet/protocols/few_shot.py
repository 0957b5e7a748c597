"""Few-shot classification: train on K images of every class, answer about the whole test part among all.

As CoOp's paper does it (arXiv 2109.01134, section 4.1), with K of 1, 2, 4, 8 and 16: top-1 over all test
images. Nobody's images are asked about classes that were not trained, so every method can be run.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from promptlet.protocols.planning import plan_runs
from promptlet.protocols.records.measures import FEW_SHOT
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.store import RunStore
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.protocols.run.drawing import drawn
from promptlet.protocols.run.fitting import OnEpoch, drawn_from, record_of
from promptlet.protocols.run.trained import Task, trained

NAME = FEW_SHOT
plan = partial(plan_runs, NAME)


def execute(
    run: Run,
    dataset: BenchDataset,
    features: FeatureSource,
    on_epoch: OnEpoch | None = None,
    store: RunStore | None = None,
) -> dict[str, Any]:
    """Train, or take from ``store`` what was trained, and evaluate; what is stored of it.

    Raises PromptletError with the reason.
    """
    began = time.perf_counter()
    split = drawn(run, dataset)
    result = trained(Task(run, dataset, split, features, on_epoch), store)
    return record_of(
        run,
        result.scores,
        result.took,
        time.perf_counter() - began,
        drawn_from(run, dataset, split),
        source=dataset.source,
        **result.facts(run, features.backbone),
    )
