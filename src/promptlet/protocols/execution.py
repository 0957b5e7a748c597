"""One run of any protocol, with what a process has opened: what engines call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlet.protocols import load_protocol
from promptlet.protocols.datasets import BenchDataset, FeatureSource
from promptlet.protocols.fitting import OnEpoch
from promptlet.protocols.measures import BASE_TO_NEW
from promptlet.protocols.runs import Run
from promptlet.protocols.store import RunStore


def execute(
    run: Run,
    datasets: Mapping[str, BenchDataset],
    features: FeatureSource,
    on_epoch: OnEpoch | None = None,
    store: RunStore | None = None,
) -> dict[str, Any]:
    """What is stored of ``run``. datasets: by name; the one it tests on, and its source where it has one.

    store: where trained methods are kept for other runs, and taken from. Raises PromptletError.
    """
    protocol, dataset = load_protocol(run.protocol), datasets[run.dataset]
    record: dict[str, Any]
    if run.protocol == BASE_TO_NEW:  # trains on half of the classes, which serves no other run
        record = protocol.execute(run, dataset, features, on_epoch)
    elif run.source is None:
        record = protocol.execute(run, dataset, features, on_epoch, store)
    else:
        record = protocol.execute(run, dataset, datasets[run.source], features, on_epoch, store)
    return record
