"""The figure of an analysis: ID_k above new accuracy over the epochs, a column per method, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from promptlet.analysis.correlation import grouped, series
from promptlet.analysis.rows import Row
from promptlet.pages.canvas import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#2e6f95", "#d1495b", "#66a182", "#edae49", "#8d6a9f", "#30323d", "#c97c5d", "#7a7a7a")
WIDTH, HEIGHT = 1.9, 4.2
"""Inches, of a column and of the whole."""


@drawn
def density_figure(rows: Sequence[Row], k: int = 1) -> bytes:
    """Means over seeds, with bands from the smallest to the largest; a colour per data set."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(row["label"] for row in rows))
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    figure = Figure(figsize=(max(4.0, 0.8 + WIDTH * len(labels)), HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, len(labels), sharex="col", sharey="row", squeeze=False)
    for dataset, label, own in grouped(rows):
        column = labels.index(label)
        colour = COLOURS[datasets.index(dataset) % len(COLOURS)]
        for axes, name in zip(panels[:, column], ("density", "new"), strict=True):
            _draw(axes, own, name, k, colour, dataset)
        panels[0, column].set_title(label, fontsize=10)
        panels[1, column].set_xlabel("epoch")
    panels[0, 0].set_ylabel(f"ID_{k} (share, 0 to 1)")
    panels[1, 0].set_ylabel("new classes, %")
    if len(datasets) > 1:
        panels[0, 0].legend(frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _draw(axes: Axes, rows: Sequence[Row], name: str, k: int, colour: str, dataset: str) -> None:
    curves = np.stack([series(row, name, k) for row in rows])
    epochs = series(rows[0], "epoch")
    axes.plot(epochs, curves.mean(0), color=colour, label=dataset)
    axes.fill_between(epochs, curves.min(0), curves.max(0), color=colour, alpha=0.2, linewidth=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
