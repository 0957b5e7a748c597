"""Spearman's rho between what is measured along trainings, and how far the seeds agree about it.

What these numbers are not. The points of one training are no independent samples: a context and an accuracy
that both drift for a hundred epochs have a rho near 1 or -1 whether or not one has to do with the other. So
there is no p-value here, and beside each rho stands that of the epoch itself (`CLOCK`): density says more
about new accuracy than the time that has passed only where its rho is the larger one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from promptlet import rng
from promptlet.analysis.rows import Row

Curve = tuple[np.ndarray, np.ndarray]
CLOCK = ("epoch", "new")
PAIRS = (("density", "new"), ("density", "base"), ("effective_rank", "new"), CLOCK)
ALL = "all methods"
LEAST = 3
"""Points: of two, rho is 1 or -1 whatever they are."""
DRAWS, COVERED = 2000, 95.0


def ranks(values: np.ndarray) -> np.ndarray:
    """1 for the smallest; equal values share the mean of their places (N,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse.reshape(-1)])


def spearman(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float | None:
    """The correlation of the ranks of x and y (N,); None for fewer than 3 points or where one is constant."""
    if len(x) < LEAST:
        return None
    a, b = (ranks(np.asarray(values, dtype=np.float64)) for values in (x, y))
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return None if size == 0.0 else float(np.clip((a @ b) / size, -1.0, 1.0))


def pooled(curves: Iterable[Curve]) -> float | None:
    """rho over the points of all curves together.

    All trainings on one data set begin at one level, where they start from the same words, but may end at
    levels of their own: then this mixes what happens within runs with what differs between them, and can lie
    outside the runs' own values. Those are there beside it.
    """
    xs, ys = zip(*curves, strict=True)
    return spearman(np.concatenate(xs), np.concatenate(ys))


def interval(by_seed: Sequence[Sequence[Curve]]) -> tuple[float, float] | None:
    """Percentile bootstrap of `pooled` over seeds; None for fewer than two, or where no draw has a rho.

    A seed is drawn with all of its curves, whole: points of one curve depend on each other, and so do the
    methods that saw the same images. It answers: how far does rho depend on which images were drawn? With
    three seeds there are ten different draws, and the interval is about the range of what single seeds give:
    no 95 % are covered by it. It says nothing about other data sets, backbones or methods.
    """
    count = len(by_seed)
    if count < 2:
        return None
    draws = rng.generator("bootstrap/density", 1).integers(0, count, (DRAWS, count))
    distinct, times = np.unique(np.sort(draws, axis=1), axis=0, return_counts=True)
    found = [pooled([curve for i in draw for curve in by_seed[i]]) for draw in distinct]
    values = [value for value, n in zip(found, times, strict=True) for _ in range(n) if value is not None]
    if not values:
        return None
    low, high = np.percentile(values, [50 - COVERED / 2, 50 + COVERED / 2])
    return float(low), float(high)


def correlations(rows: Sequence[Row], k: int = 1) -> list[dict[str, Any]]:
    """Per data set, method and pair of `PAIRS`: rho of each run, of all together, and its interval.

    Where a data set has several methods, ``all methods`` follows: all curves of the data set together.
    """
    return [
        {"dataset": dataset, "label": label, "x": pair[0], "y": pair[1], "k": k, **_compare(own, pair, k)}
        for dataset, label, own in grouped(rows, with_all=True)
        for pair in PAIRS
    ]


def grouped(rows: Sequence[Row], with_all: bool = False) -> list[tuple[str, str, list[Row]]]:
    """(data set, label, its runs), in the order of ``rows``; with_all: and each data set's runs together."""
    groups: list[tuple[str, str, list[Row]]] = []
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        of_dataset = [row for row in rows if row["dataset"] == dataset]
        labels = list(dict.fromkeys(row["label"] for row in of_dataset))
        groups += [(dataset, label, [row for row in of_dataset if row["label"] == label]) for label in labels]
        if with_all and len(labels) > 1:
            groups.append((dataset, ALL, of_dataset))
    return groups


def series(row: Row, name: str, k: int = 1) -> np.ndarray:
    """What was measured along a run (N,): ``epoch``, ``base``, ``new``; of the first text layer ``density``
    (``ID_k``), ``effective_rank``, ``stable_rank``."""
    points: Sequence[Mapping[str, Any]] = row["points"]
    if name in points[0]:
        return np.array([point[name] for point in points], dtype=np.float64)
    of_layer = [point["layers"][0][name] for point in points]
    return np.array([v[k - 1] for v in of_layer] if name == "density" else of_layer, dtype=np.float64)


def _compare(rows: Sequence[Row], pair: tuple[str, str], k: int) -> dict[str, Any]:
    curves = [(series(row, pair[0], k), series(row, pair[1], k)) for row in rows]
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    by_seed = [[c for c, row in zip(curves, rows, strict=True) if row["seed"] == seed] for seed in seeds]
    return {
        "seeds": seeds,
        "runs": [spearman(*curve) for curve in curves],
        "points": sum(len(x) for x, _ in curves),
        "rho": pooled(curves),
        "interval": interval(by_seed),
    }
