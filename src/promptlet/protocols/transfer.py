"""Train on all classes of one data set, the source; answer about the test parts of others, the targets.

As CoCoOp's paper does it with 16 shots of ImageNet (arXiv 2203.05557, sections 4.2 and 4.3): each target is
classified among its own class names. What cross-dataset and domain-shift share, which is everything: they
differ in the targets they are meant for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptlet.data import Split
from promptlet.methods import METHODS
from promptlet.methods.method import NOTHING
from promptlet.protocols.records.measures import FEW_SHOT
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.store import RunStore
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.protocols.run.drawing import check_test, drawn
from promptlet.protocols.run.fitting import OnEpoch, check_asked, drawn_from, new_method, record_of
from promptlet.protocols.run.scoring import scores
from promptlet.protocols.run.trained import Task, trained


def execute(
    run: Run,
    dataset: BenchDataset,
    source: BenchDataset,
    features: FeatureSource,
    on_epoch: OnEpoch | None = None,
    store: RunStore | None = None,
) -> dict[str, Any]:
    """Train on ``source``, or take from ``store`` what was trained there, and evaluate on ``dataset``.

    What is stored of it; ``source_accuracy`` is that on the source's own test part. Raises PromptletError
    with the reason.
    """
    began = time.perf_counter()
    split, target = drawn(run, source), dataset.split
    check_test(dataset, target, run.protocol)
    check_asked(run, split.class_names, target.class_names)
    method = new_method(run, split.class_names, target.class_names, features)
    task = Task(on_source(run, source, dataset), source, split, features, on_epoch)
    result = trained(task, store)
    asked = method.eval() if method.info.learns == NOTHING else result.method
    return record_of(
        run,
        {**scores(asked, dataset, target, features), **_about(result.scores, split.class_names, target)},
        result.took,
        time.perf_counter() - began,
        drawn_from(run, source, split),
        given=dataset.source,
        source_given=source.source,
        **result.facts(run, features.backbone),
    )


def on_source(run: Run, source: BenchDataset, dataset: BenchDataset) -> Run:
    """The few-shot run on the source that trains what ``run`` asks about ``dataset``.

    A method that learns nothing has each data set's own hand-written prompt, unless another is given.
    """
    options = dict(run.options)
    if METHODS[run.method].info.learns == NOTHING and options.get("template") == dataset.template:
        options["template"] = source.template
    return replace(
        run,
        protocol=FEW_SHOT,
        dataset=source.name,
        data=source.digest,
        options=options,
        source=None,
        source_data=None,
    )


def _about(own: Mapping[str, Any], trained_on: Sequence[str], target: Split) -> dict[str, Any]:
    """Scores on the source, and how many of the target's classes have a name that was trained."""
    return {
        **{f"source_{name}": value for name, value in own.items()},
        "seen_classes": len(set(trained_on) & set(target.class_names)),
    }
