"""The engines of `bench run` side by side: the same runs, from nothing to the last record, start-up included.

A run of the embedded suite takes about a second, so that the start of workers weighs as much as it ever does.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from promptlet.backbones import load_backbone
from promptlet.protocols import RunStore
from promptlet.protocols.engines import Engine
from promptlet.protocols.planning import Settings, parse_methods, plan_runs
from promptlet.protocols.run.datasets import FeatureSource, open_datasets
from promptlet.protocols.run.execution import Workbench

COLUMNS = (
    ("engine", "engine", "s"),
    ("workers", "workers", "d"),
    ("runs", "runs", "d"),
    ("seconds", "seconds", ".1f"),
    ("ratio", "times as fast as inline", ".2f"),
)
ENGINES = (("inline", None), ("processes", 2), ("ray", 2))


def run(
    device: str, quick: bool, progress: Callable[[str], None]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Settings and a row per engine; the images are encoded before."""
    names = ("mini-flowers",) if quick else ("mini-flowers", "mini-objects", "mini-vehicles", "mini-people")
    seeds, epochs = ((1, 2), 2) if quick else (tuple(range(1, 6)), 120)
    backbone = load_backbone("mini", device)
    datasets = {dataset.name: dataset for dataset in open_datasets(names)}
    features, settings = FeatureSource(backbone), Settings(epochs=epochs)
    methods = parse_methods("coop,rlp")
    runs = plan_runs(
        "base-to-new", list(datasets.values()), methods, [16], seeds, backbone.fingerprint, settings=settings
    )
    for dataset in datasets.values():
        features.of(dataset, dataset.split.every_item)
    rows: list[dict[str, Any]] = []
    for engine, workers in ENGINES:
        if engine == "ray" and not _has_ray():
            continue
        progress(f"{engine}, {len(runs)} runs")
        with tempfile.TemporaryDirectory() as place:
            bench = Workbench(datasets, features, RunStore(Path(place)))
            begin = time.perf_counter()
            Engine(engine, workers).run(runs, bench)
            seconds = time.perf_counter() - begin
            done = sum(bench.store.is_done(one.key) for one in runs)
        rows.append({"engine": engine, "workers": workers or 1, "runs": done, "seconds": seconds})
    for row in rows:
        row["ratio"] = rows[0]["seconds"] / row["seconds"]
    return {"datasets": names, "seeds": seeds, "epochs": epochs, "threads": torch.get_num_threads()}, rows


def _has_ray() -> bool:
    with contextlib.suppress(ImportError):
        import ray  # noqa: F401

        return True
    return False
