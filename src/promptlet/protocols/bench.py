"""A benchmark from Python: what `promptlet bench run` does, which is written on top of it.

bench = open_bench("mini-flowers", "zero_shot,coop,rlp:rank=2", backbone="mini", out="runs")
outcome = bench.run()
[record["H"] for record in outcome.records]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.load import DEFAULT_BACKBONE
from promptlet.data import SAMPLERS, FeatureCache, choose_cache
from promptlet.data.load import expand_names
from promptlet.errors import OptionError, check_option, shown
from promptlet.methods import METHODS, code_of
from promptlet.methods.catalog import OURS
from promptlet.numbers import MOST_OF_A_LIST, check_number, check_numbers
from promptlet.protocols import DEFAULT_METHODS, PROTOCOLS
from promptlet.protocols.engines import Engine, OnEvent
from promptlet.protocols.plan.refusals import Refused, sort_out
from promptlet.protocols.plan.studies import study_methods, trained_alike
from promptlet.protocols.planning import (
    MethodSpec,
    Settings,
    default_source,
    parse_methods,
    plan_runs,
    share_options,
)
from promptlet.protocols.records.measures import TRANSFERS
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.store import RunStore
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource, open_datasets
from promptlet.protocols.run.execution import Workbench
from promptlet.protocols.run.fitting import OnEpoch
from promptlet.views import check_views

Methods = str | Sequence[str | MethodSpec] | Mapping[str, Mapping[str, Any]]
Datasets = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Outcome:
    """What became of a benchmark's runs.

    done, kept: keys of those that were made now, and that were there before. failed: reasons by key.
    refused: what was not tried, since it cannot be made. records: of all that is done, in the plan's order.
    """

    done: list[str]
    kept: list[str]
    failed: dict[str, str]
    refused: list[Refused]
    records: list[dict[str, Any]] = field(repr=False)

    def __repr__(self) -> str:
        """How many; the keys and reasons are its attributes."""
        counts = (f"{name}={len(getattr(self, name)):,}" for name in ("done", "kept", "failed", "refused"))
        return f"Outcome({', '.join(counts)})"

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for is there."""
        return not (self.failed or self.refused)


@dataclass(frozen=True)
class Bench:
    """A benchmark that is opened and planned; nothing is run yet. Made by `open_bench`.

    runs: what can be tried. refused: what cannot be made, with reasons.
    """

    runs: list[Run]
    refused: list[Refused]
    workbench: Workbench = field(repr=False)

    def __repr__(self) -> str:
        """How much there is to do; `runs` lists it."""
        refused = f", {len(self.refused):,} refused" if self.refused else ""
        return f"Bench({len(self.runs):,} runs{refused}, in {str(self.store.folder)!r})"

    @property
    def store(self) -> RunStore:
        """Where the results are."""
        return self.workbench.store

    @property
    def unreadable(self) -> dict[str, str]:
        """What is wrong with data sets that cannot be read, by name; runs that need one will fail."""
        return {name: one.problem for name, one in self.workbench.datasets.items() if one.problem}

    @property
    def left_out(self) -> dict[str, Mapping[Path, str]]:
        """Images that were left out since they cannot be read: by data set, what is wrong by path."""
        return {name: one.left_out for name, one in self.workbench.datasets.items() if one.left_out}

    def run(
        self,
        engine: Engine | str = "inline",
        on_event: OnEvent | None = None,
        on_epoch: OnEpoch | None = None,
        on_encode: Callable[[int, int], None] | None = None,
    ) -> Outcome:
        """Make what is not there yet; whatever stops it, the same call goes on.

        engine: "inline", "processes", "ray", or an `Engine` with its number of workers. on_event: see
        `run_inline`; on_epoch: of trainings in this process; on_encode(done, total): images times views.
        Raises EngineError where the engine cannot start, and DataError where nothing can be stored. A run
        that fails is recorded with its reason. Where ``out`` is a pack, everything must be in it: PackError.
        """
        chosen = Engine(engine) if isinstance(engine, str) else engine
        keys: dict[str, list[str]] = {"done": [], "kept": []}
        failed: dict[str, str] = {}

        def note(what: str, run: Run, record: dict[str, Any]) -> None:
            if what in keys:
                keys[what].append(run.key)
            if what == "failed":
                failed[run.key] = str(record["reason"])
            if on_event is not None:
                on_event(what, run, record)

        if self.store.is_pack:
            self.store.check_holds([run.key for run in self.runs])
        else:
            self.store.check_writable()  # before anything is encoded
            self.workbench.features.on_progress = on_encode
            if self.runs:
                chosen.run(self.runs, self.workbench, note, on_epoch)
        records = [record for record in map(self.store.read, (run.key for run in self.runs)) if record]
        done = [record for record in records if record["status"] == "done"]
        if self.store.is_pack:
            for run, record in zip(self.runs, done, strict=True):
                note("kept", run, record)
        return Outcome(**keys, failed=failed, refused=self.refused, records=done)


def open_bench(
    datasets: Datasets,
    methods: Methods | None = None,
    *,
    protocol: str = "base-to-new",
    source: str | Path | None = None,
    study: str | None = None,
    options: Mapping[str, Any] | None = None,
    root: str | Path | None = None,
    backbone: str | Path | Backbone = DEFAULT_BACKBONE,
    shots: int | Sequence[int] = 16,
    seeds: int | Sequence[int] = (1, 2, 3),
    settings: Settings | None = None,
    out: str | Path = "runs",
    cache: bool | str | Path | FeatureCache = True,
    device: str | None = None,
    dtype: str | None = None,
    skip_bad: bool = False,
) -> Bench:
    """Open the data sets and the backbone, and plan every data set x shots x method x seed.

    datasets: names (below ``root``), "mini", "mini-harder", folders of images, tables, split files, feature
        files; one, with commas or not, or several.
    methods: as in "coop,rlp:rank=2", or several such words and pairs (name, options), or a table of options
        by name; None takes zero-shot, CoOp and RLP. study: a preset instead of methods.
    protocol: "base-to-new", "all-names", "few-shot", "cross-dataset" or "domain-shift". source: what the last
        two train on; None finds it as `default_source` does.
    options: for every method that has them, such as {"rank": 2}.
    backbone: what `load_backbone` takes, with ``device`` and ``dtype``, or what it gave. dtype: None means
        float32, not what is fastest on this machine: results are to be the same on all.
    settings: schedule, epochs, learning rate, views, sampler.
    out: the folder of results; or a pack, which is only read.
    cache: of image features: True for the user's, a folder, a `FeatureCache`, or False for none on disk.
    skip_bad: leave out images that cannot be read (`Bench.left_out`), as if they were not there.

    Raises OptionError, DataError, BackboneError. A data set that is there but cannot be read is no error
    here: its runs fail with the reason.
    """
    check_option("protocol", protocol, PROTOCOLS)
    chosen = checked_settings(settings)
    counts, numbers = whole_numbers("shots", shots, 1), whole_numbers("seeds", seeds, 0)
    specs = _chosen(methods, study, options or {})
    if study is not None:
        chosen = trained_alike(chosen)
    opened, trained_on = _open(protocol, names_of_datasets(datasets), source, root, skip_bad)
    loaded = opened_backbone(backbone, device, dtype)
    backing = (loaded.fingerprint, loaded.arithmetic)
    runs = plan_runs(protocol, opened, specs, counts, numbers, *backing, chosen, trained_on)
    every = [dataset for dataset in (*opened, trained_on) if dataset is not None]
    return bench_of(runs, every, loaded, cache, RunStore(out))


def bench_of(
    runs: Sequence[Run],
    datasets: Sequence[BenchDataset],
    backbone: Backbone,
    cache: bool | str | Path | FeatureCache,
    store: RunStore,
    kind: type[Workbench] = Workbench,
) -> Bench:
    """Planned runs with what they are made with. kind: of the workbench."""
    by_name = {dataset.name: dataset for dataset in datasets}
    features = FeatureSource(backbone, choose_cache(cache))
    possible, refused = sort_out(runs, by_name, features)
    used = {run.method for run in possible}
    own = tuple((method, code_of(name) or "") for name, method in METHODS.items() if name in used - OURS)
    return Bench(possible, refused, kind(by_name, features, store, own))


def checked_settings(settings: Settings | None) -> Settings:
    """The settings, or those by default. Raises OptionError for what is none, and for views and sampler."""
    if settings is None:
        return Settings()
    if not isinstance(settings, Settings):
        raise OptionError(
            f"settings={settings!r} is not allowed; give a promptlet.protocols.planning.Settings, as in "
            "Settings(epochs=50)"
        )
    chosen = Settings(**{name: plain(value) for name, value in vars(settings).items()})
    check_option("sampler", chosen.sampler, SAMPLERS)
    check_views("views", chosen.views)
    for name in ("epochs", "lr", "batch_size", "sampled_classes"):
        check_number(name, getattr(chosen, name))
    return chosen


def opened_backbone(backbone: str | Path | Backbone, device: str | None, dtype: str | None) -> Backbone:
    """The backbone, loaded where it is not: in float32 unless told otherwise, so that a table is the same on
    every machine. Raises OptionError for a device or dtype of a loaded one."""
    if not isinstance(backbone, Backbone):
        return load_backbone(backbone, device, dtype or "float32")
    if device is not None or dtype is not None:
        raise OptionError(
            f"device={device!r}, dtype={dtype!r}: the backbone is loaded already, on {backbone.device}; give "
            "them to load_backbone"
        )
    return backbone


def whole_numbers(name: str, given: int | Sequence[int], least: int) -> list[int]:
    """One or several numbers as a list, each once. Raises OptionError, also for too many."""
    try:
        listed = plain(given)
        every = islice(listed if isinstance(listed, Iterable) else [listed], MOST_OF_A_LIST + 1)
        numbers = [plain(number) for number in every]
    except TypeError:
        numbers = []
    if not numbers or any(type(number) is not int or number < least for number in numbers):
        raise OptionError(f"{name}={shown(given)} must be one or more whole numbers of {least} and more")
    if len(numbers) > MOST_OF_A_LIST:
        raise OptionError(f"{name}={shown(given)}: more than {MOST_OF_A_LIST:,} numbers; give fewer")
    for number in numbers:
        check_number(name, number, "seed" if name == "seeds" else name)
    return list(dict.fromkeys(numbers))


def plain(value: Any) -> Any:
    """A NumPy number as Python's own; other values as they are."""
    return value.item() if isinstance(value, np.generic) else value


def parse_given(methods: Methods) -> list[MethodSpec]:
    """Methods with their options, as `plan_runs` takes them. Raises OptionError."""
    if isinstance(methods, str):
        return list(parse_methods(methods))
    specs: list[MethodSpec] = []
    for given in methods.items() if isinstance(methods, Mapping) else methods:
        if isinstance(given, str):
            specs += parse_methods(given)
        elif isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
            specs.append((given[0], {name: plain(value) for name, value in given[1].items()}))
        else:
            raise OptionError(
                f"{given!r} is no method; give words such as 'rlp:rank=2', or a list of pairs such as "
                "('rlp', {'rank': 2})"
            )
    if not specs:
        raise OptionError("methods is empty; name one or more, or leave it out")
    for _, options in specs:
        check_numbers(options)
    return specs


def names_of_datasets(datasets: Datasets) -> list[str]:
    """One, several, or several with commas. Raises OptionError for none."""
    if isinstance(datasets, str):
        given: Sequence[str | Path] = [name.strip() for name in datasets.split(",") if name.strip()]
    else:
        given = [datasets] if isinstance(datasets, Path) else datasets
    if not given:
        raise OptionError("datasets names no data set; see: promptlet datasets list")
    return [str(name) for name in given]


def _chosen(methods: Methods | None, study: str | None, shared: Mapping[str, Any]) -> Sequence[MethodSpec]:
    """Those that are named, or those of a study."""
    shared = {name: plain(value) for name, value in shared.items()}
    check_numbers(shared)
    if study is None:
        return share_options(parse_given(DEFAULT_METHODS if methods is None else methods), shared)
    if methods is not None:
        raise OptionError(f"study {study!r} and methods cannot be given together; leave one out")
    return study_methods(study, shared)


def _open(
    protocol: str,
    names: Sequence[str],
    source: str | Path | None,
    root: str | Path | None,
    skip_bad: bool,
) -> tuple[list[BenchDataset], BenchDataset | None]:
    """The data sets to test on, and the one to train on where the protocol has one."""
    if protocol not in TRANSFERS:
        if source is not None:
            raise OptionError(
                f"source {str(source)!r} goes with {' and '.join(TRANSFERS)} alone; {protocol} trains on the "
                "data set that it tests on"
            )
        return open_datasets(names, root, skip_bad), None
    origin = default_source(names) if source is None else str(source)
    if expand_names([origin]) != [origin]:
        raise OptionError(f"source is one data set, not {origin!r}, which stands for several")
    every = expand_names(names)
    opened = open_datasets([*every, *([] if origin in every else [origin])], root, skip_bad)
    targets = [dataset for dataset in opened if dataset.source in every]
    return targets, next(dataset for dataset in opened if dataset.source == origin)
