"""A workbench of small made data sets, and what the tests of engines ask of the records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protocol_toys import NAMES, write_toy

from promptlet.backbones import Backbone
from promptlet.protocols import RunStore
from promptlet.protocols.planning import Settings, parse_methods, plan_runs
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import FeatureSource, open_datasets
from promptlet.protocols.run.execution import Workbench

VARY = ("seconds", "seconds_total", "peak_memory", "date", "history", "trained", "threads")
ROUNDING = 1e-3
"""Of percent: threads and processes add in another order."""


def bench_of(folder: Path, backbone: Backbone, store: str = "runs") -> Workbench:
    """Three feature files: a source, other classes, some of the source's classes."""
    paths = [
        write_toy(folder / "origin.npz"),
        write_toy(folder / "others.npz", seed=1, names=("box", "the dog", "a cat")),
        write_toy(folder / "shifted.npz", seed=2, names=NAMES[:3]),
    ]
    opened = open_datasets([str(path) for path in paths])
    return Workbench({d.name: d for d in opened}, FeatureSource(backbone), RunStore(folder / store))


def runs_of(
    bench: Workbench,
    methods: str = "zero_shot,coop,rlp",
    protocol: str = "base-to-new",
    seeds: Sequence[int] = (1, 2),
    epochs: int = 2,
) -> list[Run]:
    """On the source alone, or from it to the others."""
    source = bench.datasets["origin"] if protocol == "cross-dataset" else None
    chosen = list(bench.datasets.values()) if source else [bench.datasets["origin"]]
    fingerprint, settings = bench.features.backbone.fingerprint, Settings(epochs=epochs)
    specs = parse_methods(methods)
    return plan_runs(protocol, chosen, specs, [2], seeds, fingerprint, settings=settings, source=source)


def records_of(store: RunStore) -> dict[str, dict[str, Any]]:
    """By key, read by no code of the store."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(store.folder.glob("*.json"))}


def assert_same_numbers(one: RunStore, other: RunStore) -> None:
    """Every field of every record but times and memory; calibration to rounding."""
    first, second = records_of(one), records_of(other)
    assert first.keys() == second.keys() and first
    for key, record in first.items():
        for name in record.keys() - set(VARY):
            found, expected = second[key][name], record[name]
            if isinstance(expected, float):
                assert abs(found - expected) < ROUNDING, (key, name)
            else:
                assert found == expected, (key, name)
