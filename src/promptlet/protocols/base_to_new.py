"""Base-to-new generalisation: train on half of the classes, answer among that half, and among the other half.

As CoOp's code does it (CoCoOp, arXiv 2203.05557, section 4.1): the shots are drawn first and the classes cut
afterwards; base is the first ceil(n / 2) labels; base images are classified among base names only, new images
among new names only; top-1 over all test images.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from promptlet.data import Split
from promptlet.protocols.planning import plan_runs
from promptlet.protocols.records.measures import BASE_TO_NEW
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run import halves
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.protocols.run.fitting import OnEpoch

NAME = BASE_TO_NEW
plan = partial(plan_runs, NAME)


def execute(
    run: Run, dataset: BenchDataset, source: FeatureSource, on_epoch: OnEpoch | None = None
) -> dict[str, Any]:
    """Train once, evaluate both halves; what is stored of it. Raises PromptletError with the reason."""
    return halves.execute(run, dataset, source, measure, on_epoch)


def measure(ask: halves.Ask, base: Split, new: Split) -> dict[str, Any]:
    """Each half among its own names."""
    return halves.of_halves(ask(base), ask(new))
