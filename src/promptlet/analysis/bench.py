"""An analysis from Python: `promptlet analyze` is written on top of it, as a benchmark is on `open_bench`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.analysis import measuring
from promptlet.analysis.rows import DensityStore
from promptlet.backbones import Backbone
from promptlet.backbones.load import DEFAULT_BACKBONE
from promptlet.data import FeatureCache
from promptlet.errors import OptionError
from promptlet.numbers import check_number
from promptlet.protocols.bench import (
    Bench,
    Datasets,
    Methods,
    bench_of,
    checked_settings,
    names_of_datasets,
    opened_backbone,
    parse_given,
    whole_numbers,
)
from promptlet.protocols.planning import Settings
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import open_datasets
from promptlet.protocols.run.execution import Workbench
from promptlet.protocols.run.fitting import OnEpoch

METHODS = "coop,rlp"


@dataclass(frozen=True)
class DensityBench(Workbench):
    """A `Workbench` whose runs are trained and looked at on the way."""

    def execute(self, run: Run, on_epoch: OnEpoch | None = None) -> dict[str, Any]:
        """What is stored of ``run``. Raises PromptletError."""
        return measuring.execute(run, self.datasets[run.dataset], self.features, on_epoch)


def open_analysis(
    datasets: Datasets,
    methods: Methods = METHODS,
    *,
    root: str | Path | None = None,
    backbone: str | Path | Backbone = DEFAULT_BACKBONE,
    shots: int = 16,
    seeds: int | Sequence[int] = (1, 2, 3),
    settings: Settings | None = None,
    every: int = 10,
    k: int = 1,
    out: str | Path = "density",
    cache: bool | str | Path | FeatureCache = True,
    device: str | None = None,
    dtype: str | None = None,
) -> Bench:
    """Open the data sets and the backbone, and plan every data set x method x seed.

    every: measure after so many epochs. k: which ID_k will be asked for, checked here; the rows hold all of
    them. The rest as in `open_bench`. Raises OptionError for a method without one context at the text side.
    """
    chosen = checked_settings(settings)
    for name, number in (("every", every), ("k", k)):
        check_number(name, number)
    counts, numbers = whole_numbers("shots", shots, 1), whole_numbers("seeds", seeds, 0)
    if len(counts) > 1:
        raise OptionError(f"shots={shots!r}: an analysis is of one number of shots; open one for each")
    specs = parse_given(methods)
    for name, _ in specs:
        measuring.check_context(name)
    measuring.check_k(k, specs)
    opened = open_datasets(names_of_datasets(datasets), root)
    loaded = opened_backbone(backbone, device, dtype)
    backing = (loaded.fingerprint, loaded.arithmetic)
    runs = measuring.plan(opened, specs, counts[0], numbers, *backing, chosen, every)
    return bench_of(runs, opened, loaded, cache, DensityStore(out), DensityBench)
