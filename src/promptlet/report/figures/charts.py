"""Figures of a summary's rows, as PNG bytes. A row names its method by ``label`` and its data set.

names: every method of a page in its order, so that its figures agree in style; else those of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from promptlet.pages.canvas import drawn
from promptlet.report.figures.drawing import (
    COLOURS,
    GREY,
    PALE,
    Row,
    Style,
    by_label,
    by_name,
    new_figure,
    one_panel,
    percents,
    plain,
    png,
    step_of,
    styles,
)
from promptlet.report.statistics.comparisons import AVERAGE, spread_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "COLOURS",
    "accuracy_by_shots",
    "accuracy_by_shots_each",
    "bars_by_dataset",
    "base_against_new",
    "dots_by_dataset",
    "dots_by_method",
    "learning_curves",
]
COLUMNS = 4
"""Panels side by side."""
WHISKER: dict[str, Any] = {"fmt": "none", "ecolor": "#333333", "elinewidth": 1, "zorder": 3}
"""On bars."""


@drawn
def base_against_new(rows: Sequence[Row], names: Sequence[str] = ()) -> bytes:
    """A point per row: base accuracy to the right, new accuracy up (percent), on lines of the same H. Of
    several data sets, the points of each are joined and bear its name."""
    methods = by_label(rows)
    figure, axes = one_panel(len(methods), 4.2)
    for label, style in _looks(methods, names).items():
        own = methods[label]
        x, y = [row["base"] for row in own], [row["new"] for row in own]
        axes.scatter(x, y, s=44, color=style.colour, marker=style.marker, label=label, zorder=3)
    axes.set_xlim(percents([row["base"] for row in rows]))
    axes.set_ylim(percents([row["new"] for row in rows]))
    datasets = by_name(rows, "dataset")
    if len(datasets) > 1:
        for own in datasets.values():
            _joined(axes, own)
    _same_h(axes)
    axes.axline((50, 50), slope=1, color="#bbbbbb", linewidth=1, zorder=1)
    axes.set(xlabel="base classes, %", ylabel="new classes, %")
    axes.grid(visible=False)
    return png(figure, axes)


@drawn
def bars_by_dataset(
    rows: Sequence[Row], value: str = "H", name: str = "H, %", names: Sequence[str] = ()
) -> bytes:
    """A group of bars per data set, one bar per method. The axis does not begin at 0. Whiskers are deviations
    over seeds, of rows with several."""
    methods = by_label(rows)
    figure, axes = one_panel(len(methods))
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    width = 0.8 / max(1, len(methods))
    for i, (label, style) in enumerate(_looks(methods, names).items()):
        own = methods[label]
        at = [datasets.index(row["dataset"]) + (i - (len(methods) - 1) / 2) * width for row in own]
        axes.bar(at, [row[value] for row in own], width, color=style.colour, label=label, zorder=2)
        for place, row in zip(at, own, strict=True):
            axes.errorbar(place, row[value], spread_of(row, value), **WHISKER)
    crowded = len(datasets) > 4
    axes.set_xticks(range(len(datasets)), datasets, rotation=30 if crowded else 0)
    if crowded:
        for tick in axes.get_xticklabels():
            tick.set(ha="right", rotation_mode="anchor")
    axes.set_ylabel(name)
    found = [(float(row[value]), spread_of(row, value) or 0.0) for row in rows]
    lowest = min((middle - spread for middle, spread in found), default=0.0)
    highest = max((middle + spread for middle, spread in found), default=0.0)
    above = min(100.0, percents([middle for middle, _ in found])[1])
    axes.set_ylim(max(0.0, lowest - 10.0), max(highest, above))
    return png(figure, axes)


@drawn
def dots_by_dataset(
    rows: Sequence[Row], value: str = "H", name: str = "H, %", names: Sequence[str] = ()
) -> bytes:
    """A panel per data set, each with a range of its own, and in it a line per method: where bars would be
    too many. Whiskers as in `bars_by_dataset`."""
    datasets, methods = by_name(rows, "dataset"), list(by_label(rows))
    down = -(-len(datasets) // COLUMNS)
    figure = new_figure(0.6 + (0.45 + 0.17 * len(methods)) * down, 10.0)
    panels = figure.subplots(down, COLUMNS, squeeze=False, sharey=True)
    looks = _looks(methods, names)
    for axes, dataset in zip(panels.ravel(), datasets, strict=False):
        _dots(axes, datasets[dataset], methods, looks, value)
        axes.set_title(dataset, fontsize=9)
        axes.tick_params(labelsize=8)
    for axes in panels.ravel()[len(datasets) :]:
        axes.set_visible(False)
    figure.supxlabel(name, fontsize=9)
    return png(figure)


@drawn
def dots_by_method(
    rows: Sequence[Row], value: str = "H", name: str = "H, %", names: Sequence[str] = ()
) -> bytes:
    """A line per method, the best one above, of rows of one data set. Whiskers as in `bars_by_dataset`."""
    ranked = sorted(rows, key=lambda row: -float(row[value]))
    figure = new_figure(0.9 + 0.24 * len(ranked), 7.4)
    axes = figure.subplots()
    looks = _looks(by_label(rows), names)
    _dots(axes, ranked, [row["label"] for row in ranked], looks, value)
    axes.set_xlabel(name)
    return png(figure)


def _dots(
    axes: Axes, rows: Sequence[Row], methods: Sequence[str], looks: Mapping[str, Style], value: str
) -> None:
    """A point per row, on the line of its method."""
    plain(axes)
    for row in rows:
        style, at = looks[row["label"]], methods.index(row["label"])
        look: dict[str, Any] = {
            "color": style.colour,
            "marker": style.marker,
            "markersize": 5.5,
            "linestyle": "none",
        }
        axes.errorbar(row[value], at, xerr=spread_of(row, value), capsize=2, elinewidth=1, **look)
    axes.set_yticks(range(len(methods)), methods)
    axes.set_ylim(len(methods) - 0.5, -0.5)


@drawn
def accuracy_by_shots(rows: Sequence[Row], names: Sequence[str] = ()) -> bytes:
    """A line per method: accuracy (percent, mean over data sets) against images per class, as few-shot rows
    have them. A point that lacks one of the data sets is left out, since it would not be comparable."""
    own = [row for row in rows if row["dataset"] != AVERAGE]
    figure, axes = one_panel(len(by_label(own)))
    _lines(axes, own, {row["dataset"] for row in own}, _looks(by_label(own), names))
    axes.set(xlabel="images per class", ylabel="accuracy, %")
    return png(figure, axes)


@drawn
def accuracy_by_shots_each(rows: Sequence[Row], names: Sequence[str] = ()) -> bytes:
    """The same for each data set in a panel of its own, each with a range of its own."""
    own = [row for row in rows if row["dataset"] != AVERAGE]
    datasets = by_name(own, "dataset")
    down = -(-len(datasets) // COLUMNS)
    figure = new_figure(0.7 + 1.9 * down, 10.0)
    panels = figure.subplots(down, COLUMNS, squeeze=False).ravel()
    looks = _looks(by_label(own), names)
    for axes, dataset in zip(panels, datasets, strict=False):
        plain(axes)
        _lines(axes, datasets[dataset], {dataset}, looks)
        axes.set_title(dataset, fontsize=9)
        axes.tick_params(labelsize=8)
    for axes in panels[len(datasets) :]:
        axes.set_visible(False)
    figure.supxlabel("images per class", fontsize=9)
    figure.supylabel("accuracy, %", fontsize=9)
    return png(figure, panels[0])


@drawn
def learning_curves(curves: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> bytes:
    """A line per name through its (x, y) points."""
    figure, axes = one_panel(len(curves))
    for label, style in styles(curves).items():
        x, y = [point[0] for point in curves[label]], [point[1] for point in curves[label]]
        axes.plot(x, y, color=style.colour, linestyle=style.dash, label=label)
    axes.set(xlabel=across, ylabel=up)
    return png(figure, axes)


def _joined(axes: Axes, rows: Sequence[Row]) -> None:
    """A thin line through the points of one data set, and its name beside the rightmost one."""
    points = sorted((float(row["base"]), float(row["new"])) for row in rows)
    axes.plot(*zip(*points, strict=True), color="#999999", linewidth=0.6, zorder=2)
    place: dict[str, Any] = {"xytext": (5, -9), "textcoords": "offset points", "clip_on": False}
    axes.annotate(rows[0]["dataset"], points[-1], fontsize=7, color="#555555", zorder=4, **place)


def _looks(methods: Iterable[str], names: Sequence[str]) -> dict[str, Style]:
    """The styles of some methods, in the order of ``names``, which may have more."""
    own = set(methods)
    return {name: style for name, style in styles([*names, *methods]).items() if name in own}


def _lines(axes: Axes, rows: Sequence[Row], datasets: set[str], looks: Mapping[str, Style]) -> None:
    """Accuracy against shots."""
    methods = by_label(rows)
    for label, style in looks.items():
        points = _means_by_shots(methods.get(label, []), datasets)
        x, y = list(points), list(points.values())
        look: dict[str, Any] = {"color": style.colour, "marker": style.marker, "linestyle": style.dash}
        axes.plot(x, y, markersize=4.5, linewidth=1.5, label=label, **look)
    shots = sorted({row["shots"] for row in rows})
    axes.set_xscale("log", base=2)
    axes.set_xticks(shots, [str(count) for count in shots])
    axes.minorticks_off()


def _means_by_shots(rows: Sequence[Row], datasets: set[str]) -> dict[int, float]:
    means = {}
    for shots in sorted({row["shots"] for row in rows}):
        found = {row["dataset"]: float(row["accuracy"]) for row in rows if row["shots"] == shots}
        if found.keys() == datasets:
            means[shots] = sum(found.values()) / len(found)
    return means


def _same_h(axes: Axes) -> None:
    """Lines of the same harmonic mean through the present limits."""
    import numpy as np

    x, y = (np.linspace(*limits, 200) for limits in (axes.get_xlim(), axes.get_ylim()))
    across, up = np.meshgrid(np.clip(x, 1e-3, None), np.clip(y, 1e-3, None))
    h = 2 * across * up / (across + up)
    step = step_of(float(h.max() - h.min()), 6)
    levels = np.arange(np.ceil(h.min() / step), np.floor(h.max() / step) + 1) * step
    lines = axes.contour(x, y, h, levels=levels, colors=PALE, linewidths=0.9, zorder=1)
    axes.clabel(lines, fmt="H %g", fontsize=7, colors=GREY)
