"""The paper's comparison on the embedded suite: zero-shot, CoOp and RLP, on classes taught and new."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlet.cli.shell import Bars
    from promptlet.data import FeatureCache


def compare(
    names: list[str],
    seeds: list[int],
    shots: int,
    folder: Path,
    backbone: Any,
    cache: FeatureCache | None,
    shown: Bars,
) -> Any:
    """Base-to-new of the three methods on every data set and seed; the summary of these runs."""
    from promptlet.protocols.bench import open_bench
    from promptlet.protocols.records.runs import cell_of
    from promptlet.report import summarise

    bench = open_bench(
        names,
        backbone=backbone,
        shots=shots,
        seeds=seeds,
        out=folder,
        cache=cache or False,
    )
    finished = 0

    def on_event(what: str, run: Any, record: dict[str, Any]) -> None:
        nonlocal finished
        if what == "failed":
            shown.line(f"{run.label}: failed: {record['reason']}")
        if what in ("done", "kept", "failed"):
            finished += 1
            shown.show("runs", finished, len(bench.runs), run.label)

    bench.run(on_event=on_event, on_encode=lambda done, total: shown.show("encoding", done, total))
    return summarise(bench.store, {cell_of(run.describe()) for run in bench.runs})
