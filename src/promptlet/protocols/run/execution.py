"""One run of any protocol, with what a process has opened: what engines call, here or in a worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from promptlet.data import sample_shots
from promptlet.data.items import Item
from promptlet.methods import METHODS, Method, adopt
from promptlet.methods.method import NOTHING
from promptlet.protocols import load_protocol
from promptlet.protocols.records.circumstances import reset_peak_memory
from promptlet.protocols.records.measures import HALVES
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.store import RunStore
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.protocols.run.fitting import OnEpoch
from promptlet.views import Views

Wanted = dict[tuple[str, Views], dict[Item, None]]
"""Images by the name of their data set and their views, in order and once."""


@dataclass(frozen=True)
class Workbench:
    """What runs are made with. It can be pickled: the backbone is loaded again on the other side.

    datasets: by name; those that are tested on, and those that are trained on. methods: those of its runs
    that are not Promptlet's own, with their `code_of`; they are made known on the other side.
    """

    datasets: Mapping[str, BenchDataset]
    features: FeatureSource
    store: RunStore
    methods: tuple[tuple[type[Method], str], ...] = ()

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        for method, code in self.methods:
            adopt(method, code)

    def execute(self, run: Run, on_epoch: OnEpoch | None = None) -> dict[str, Any]:
        """What is stored of ``run``. Raises PromptletError."""
        return execute(run, self.datasets, self.features, on_epoch, self.store)

    def wanted(self, runs: Iterable[Run]) -> Wanted:
        """The images whose features these runs read. Those of what cannot be run are left out."""
        wanted: Wanted = {}
        for run in runs:
            if METHODS[run.method].info.reads != "features":
                continue
            try:
                for dataset, views, items in self._read_by(run):
                    if dataset.features is None:
                        wanted.setdefault((dataset.name, views), {}).update(dict.fromkeys(items))
            except Exception:  # the run will say so itself
                continue
        return wanted

    def _read_by(self, run: Run) -> list[tuple[BenchDataset, Views, tuple[Item, ...]]]:
        target, info = self.datasets[run.dataset], METHODS[run.method].info
        source = self.datasets[run.source] if run.source is not None else target
        read: list[tuple[BenchDataset, Views, tuple[Item, ...]]] = [
            (target, 1, target.split.test),
            (source, 1, source.split.test),
        ]
        if info.learns != NOTHING:
            drawn = sample_shots(source.split, run.shots, run.seed, run.sampler)
            read += [(source, run.views, drawn.train), (source, 1, drawn.val if info.uses_val else ())]
        return read


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
    reset_peak_memory()
    protocol, dataset = load_protocol(run.protocol), datasets[run.dataset]
    record: dict[str, Any]
    if run.protocol in HALVES:  # trains on half of the classes, which serves no other run
        record = protocol.execute(run, dataset, features, on_epoch)
    elif run.source is None:
        record = protocol.execute(run, dataset, features, on_epoch, store)
    else:
        record = protocol.execute(run, dataset, datasets[run.source], features, on_epoch, store)
    return record
