"""Records of every protocol, made by hand, for the tests of packs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptlet.protocols import RunStore
from promptlet.protocols.records.measures import MEASURES, TRANSFERS
from promptlet.protocols.records.runs import Run

DRAW = [f"train/cat/{i}.jpg" for i in range(40)]


def run_of(protocol: str = "base-to-new", seed: int = 1, **changes: Any) -> Run:
    source = {"source": "imagenet", "source_data": "i-1"} if protocol in TRANSFERS else {}
    fields: dict[str, Any] = {
        "protocol": protocol,
        "dataset": "pets",
        "data": "p-1",
        "method": "coop",
        "options": {"n_ctx": 4},
        "shots": 16,
        "seed": seed,
        "settings": {"name": "fast", "lr": 0.01},
        "views": 1,
        "sampler": "coop",
        "fingerprint": "a-b-c",
        "dtype": "float32",
        **source,
        **changes,
    }
    return Run(**fields)


def record_of(run: Run, **changes: Any) -> dict[str, Any]:
    measures = MEASURES[run.protocol]
    history = [{"epoch": i, "loss": 1 / (i + run.seed), "lr": 0.01} for i in range(1, 21)]
    return {
        "status": "done",
        **run.describe(),
        **dict.fromkeys((*measures.scores, *measures.extras), 50.0 + run.seed / 3),
        "trainable": 2048,
        "file_bytes": 900,
        "seconds": 1.5,
        "history": history,
        "samples": DRAW,
        "val_samples": None,
        "notes": ["ÿ told"],
        **changes,
    }


def write_runs(folder: Path, seeds: tuple[int, ...] = (1, 2), plan: bool = True) -> RunStore:
    """Finished runs of every protocol."""
    store, runs = RunStore(folder), [run_of(protocol, seed) for protocol in MEASURES for seed in seeds]
    for run in runs:
        store.write(run.key, record_of(run))
    if plan:
        store.write_plan([run.describe() for run in runs])
    return store


def fail(store: RunStore, run: Run, reason: str = "no images") -> None:
    store.write(run.key, {"status": "failed", **run.describe(), "reason": reason})
