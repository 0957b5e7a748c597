"""Figures of a summary, by matplotlib, as PNG bytes. No window, no global state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
COLOURS = ("#7a7a7a", "#d1495b", "#2e6f95", "#edae49", "#66a182", "#8d6a9f", "#30323d", "#c97c5d")
WIDTH, HEIGHT = 7.5, 3.4
"""Inches."""


def base_against_new(rows: Sequence[Row]) -> bytes:
    """A point per method and data set: base accuracy to the right, new accuracy up (percent)."""
    figure, axes = _figure()
    for colour, (label, own) in zip(cycle(COLOURS), _by_method(rows).items(), strict=False):
        axes.scatter([r["base"] for r in own], [r["new"] for r in own], s=34, color=colour, label=label)
    low = min((min(r["base"], r["new"]) for r in rows), default=0.0)
    axes.plot([low, 100], [low, 100], color="#cccccc", linewidth=1, zorder=0)
    axes.set(xlabel="base classes, %", ylabel="new classes, %")
    return _png(figure, axes)


def bars_by_dataset(rows: Sequence[Row], value: str = "H", name: str = "H, %") -> bytes:
    """A group of bars per data set, one bar per method."""
    figure, axes = _figure()
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    methods = _by_method(rows)
    width = 0.8 / max(1, len(methods))
    for i, (colour, (label, own)) in enumerate(zip(cycle(COLOURS), methods.items(), strict=False)):
        at = [datasets.index(row["dataset"]) + (i - (len(methods) - 1) / 2) * width for row in own]
        axes.bar(at, [row[value] for row in own], width, color=colour, label=label)
    axes.set_xticks(range(len(datasets)), datasets, rotation=20 if len(datasets) > 4 else 0, ha="center")
    axes.set_ylabel(name)
    low = min((row[value] for row in rows), default=0.0)
    axes.set_ylim(max(0.0, low - 10.0))
    return _png(figure, axes)


def accuracy_by_shots(rows: Sequence[Row]) -> bytes:
    """A line per method: accuracy (percent, mean over data sets) against images per class, as few-shot rows
    have them. A point that lacks one of the data sets is left out, since it would not be comparable."""
    figure, axes = _figure()
    own = [row for row in rows if row["dataset"] != "average"]
    every = {row["dataset"] for row in own}
    for colour, (label, of_method) in zip(cycle(COLOURS), _by_method(own).items(), strict=False):
        points = _means_by_shots(of_method, every)
        axes.plot(list(points), list(points.values()), color=colour, marker="o", markersize=4, label=label)
    shots = sorted({row["shots"] for row in own})
    axes.set_xscale("log", base=2)
    axes.set_xticks(shots, [str(count) for count in shots])
    axes.minorticks_off()
    axes.set(xlabel="images per class", ylabel="accuracy, %")
    return _png(figure, axes)


def _means_by_shots(rows: Sequence[Row], datasets: set[str]) -> dict[int, float]:
    means = {}
    for shots in sorted({row["shots"] for row in rows}):
        found = {row["dataset"]: float(row["accuracy"]) for row in rows if row["shots"] == shots}
        if found.keys() == datasets:
            means[shots] = sum(found.values()) / len(found)
    return means


def learning_curves(curves: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> bytes:
    """A line per name through its (x, y) points."""
    figure, axes = _figure()
    for colour, (label, points) in zip(cycle(COLOURS), curves.items(), strict=False):
        axes.plot([x for x, _ in points], [y for _, y in points], color=colour, label=label)
    axes.set(xlabel=across, ylabel=up)
    return _png(figure, axes)


def _by_method(rows: Sequence[Row]) -> dict[str, list[Row]]:
    methods: dict[str, list[Row]] = {}
    for row in rows:
        methods.setdefault(row["label"], []).append(row)
    return methods


def _figure() -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee", zorder=0)
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: Figure, axes: Axes) -> bytes:
    axes.legend(frameon=False, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
