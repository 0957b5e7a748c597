"""Domain shift: train on one data set, answer about shifted versions, each among its own class names.

ImageNet and ImageNet-V2, -Sketch, -A, -R in the papers; `mini-general` and its four shifted versions in the
embedded suite (`promptlet datasets list`). What it does is in transfer.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptlet.protocols.planning import MethodSpec, Settings, plan_runs
from promptlet.protocols.records.measures import DOMAIN_SHIFT
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import BenchDataset
from promptlet.protocols.transfer import execute

NAME = DOMAIN_SHIFT


def plan(
    datasets: Sequence[BenchDataset],
    methods: Sequence[MethodSpec],
    shots: Sequence[int],
    seeds: Sequence[int],
    fingerprint: str,
    dtype: str = "float32",
    settings: Settings | None = None,
    *,
    source: BenchDataset,
) -> list[Run]:
    """The runs asked for: ``source`` is trained on, and left out of ``datasets``."""
    return plan_runs(NAME, datasets, methods, shots, seeds, fingerprint, dtype, settings, source)


__all__ = ["NAME", "execute", "plan"]
