"""An analysis from Python: `promptlet analyze` is written on top of it, as a benchmark is on `open_bench`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.analysis import measuring
from promptlet.analysis.rows import DensityStore
from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.load import DEFAULT_BACKBONE
from promptlet.data import FeatureCache, choose_cache
from promptlet.methods import registered
from promptlet.protocols.bench import Bench, Methods, names_of_datasets, parse_given
from promptlet.protocols.datasets import FeatureSource, open_datasets
from promptlet.protocols.execution import Workbench
from promptlet.protocols.fitting import OnEpoch
from promptlet.protocols.planning import Settings
from promptlet.protocols.refusals import sort_out
from promptlet.protocols.runs import Run

METHODS = "coop,rlp"


@dataclass(frozen=True)
class DensityBench(Workbench):
    """A `Workbench` whose runs are trained and looked at on the way."""

    def execute(self, run: Run, on_epoch: OnEpoch | None = None) -> dict[str, Any]:
        """What is stored of ``run``. Raises PromptletError."""
        return measuring.execute(run, self.datasets[run.dataset], self.features, on_epoch)


def open_analysis(
    datasets: str | Path | Sequence[str | Path],
    methods: Methods = METHODS,
    *,
    root: str | Path | None = None,
    backbone: str | Path | Backbone = DEFAULT_BACKBONE,
    shots: int = 16,
    seeds: Sequence[int] = (1, 2, 3),
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
    specs = parse_given(methods)
    for name, _ in specs:
        measuring.check_context(name)
    measuring.check_k(k, specs)
    opened = open_datasets(names_of_datasets(datasets), root)
    loaded = backbone if isinstance(backbone, Backbone) else load_backbone(backbone, device, dtype)
    kind = str(loaded.dtype).removeprefix("torch.")
    runs = measuring.plan(opened, specs, shots, seeds, loaded.fingerprint, kind, settings, every)
    features = FeatureSource(loaded, choose_cache(cache))
    by_name = {dataset.name: dataset for dataset in opened}
    possible, refused = sort_out(runs, by_name, features)
    return Bench(possible, refused, DensityBench(by_name, features, DensityStore(out), registered()))
