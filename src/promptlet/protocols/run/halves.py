"""Train on half of the classes, base; answer about images of that half and of the other one, new.

What base-to-new and all-names share: draws, cut, training, and each half asked among its own names. Shots
are drawn first and the classes cut afterwards, as in CoOp's code; base is the first ceil(n / 2) labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from promptlet.data import Split, together
from promptlet.evaluation import harmonic_mean
from promptlet.promptfile import dumps
from promptlet.protocols.records.circumstances import circumstances
from promptlet.protocols.records.measures import ALL_NAMES
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.protocols.run.drawing import halves_of
from promptlet.protocols.run.fitting import (
    OnEpoch,
    check_asked,
    drawn_from,
    file_of,
    fit,
    new_method,
    record_of,
    what_it_took,
)
from promptlet.protocols.run.scoring import Answers, answers

Ask = Callable[[Split], Answers]
"""What the trained method says about the test images of a split, among its classes."""
Measure = Callable[[Ask, Split, Split], dict[str, Any]]
"""The scores of a record, from what is answered about base, new, or both."""


def execute(
    run: Run,
    dataset: BenchDataset,
    features: FeatureSource,
    measure: Measure,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Train once on base, and measure; what is stored of it. Raises PromptletError with the reason."""
    began = time.perf_counter()
    base, new = halves_of(run, dataset)
    asked = asked_names(run.protocol, base, new)
    check_asked(run, base.class_names, asked)
    method = new_method(run, base.class_names, asked, features)
    result = fit(run, method, dataset, base, features, on_epoch)
    scores = measure(partial(answers, method, dataset, features), base, new)
    size = len(dumps(file_of(run, method, base), method.stored_precision()))
    return record_of(
        run,
        scores,
        what_it_took(method, result, size),
        time.perf_counter() - began,
        drawn_from(run, dataset, base),
        source=dataset.source,
        **circumstances(features.backbone),
    )


def asked_names(protocol: str, base: Split, new: Split) -> tuple[str, ...]:
    """The class names that a method trained on base is asked for: the new ones, or all at once."""
    return together(base, new).class_names if protocol == ALL_NAMES else new.class_names


def of_halves(base: Answers, new: Answers) -> dict[str, Any]:
    """Accuracy of each half among its own names, their H, and what else is measured of each."""
    measured = {**_of("base", base), **_of("new", new)}
    both = {name: measured[name] for name in ("base", "new")}
    return {**both, "H": harmonic_mean(*both.values()), **measured}


def _of(half: str, found: Answers) -> dict[str, Any]:
    return {half if n == "accuracy" else f"{half}_{n}": value for n, value in found.scores().items()}
