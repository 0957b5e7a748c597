"""Figures of an evaluation: how far probabilities can be believed, what a threshold gives, all classes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlet.evaluation import risk_coverage
from promptlet.own_images.evaluating.result import Evaluation
from promptlet.pages.canvas import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#767676"
"""Two that colour-blind readers tell apart (Okabe and Ito), and one for what others are held against."""
WIDE, HIGH, DPI = 4.6, 3.6, 170
A_CLASS = 0.1
"""Inches of a class in the picture of them all."""


@drawn
def reliability_chart(found: Evaluation) -> bytes:
    """A PNG: the accuracy of answers by their confidence, with intervals; the line is where both are one."""
    figure, axes = _panel("probability that was given, %", "of these right, %")
    axes.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=1, label="as often right as it says")
    for one in found.reliability:
        if one.confidence is None or one.accuracy is None or one.low is None or one.high is None:
            continue
        axes.vlines(one.confidence, one.low, one.high, color=BLUE, linewidth=1.2, alpha=0.7)
        size = _area(one.count, len(found.images))
        axes.scatter(one.confidence, one.accuracy, s=size, color=BLUE, zorder=3)
    axes.set_xlim(-2, 102)
    axes.set_ylim(-2, 102)
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    return _png(figure)


@drawn
def threshold_chart(found: Evaluation) -> bytes:
    """A PNG: the share that is answered, and the accuracy of these, by the least probability asked for."""
    figure, axes = _panel("answers below this probability are held back, %", "%")
    thresholds, shares, accuracies = risk_coverage(found.confidence, found.hits)
    places = 100.0 * np.concatenate([[1.0], thresholds, [0.0]])
    shares = np.concatenate([[0.0], shares, shares[-1:]])
    accuracies = np.concatenate([[np.nan], accuracies, accuracies[-1:]])
    axes.step(places, shares, where="pre", color=ORANGE, linewidth=1.6, linestyle="--", label="answered")
    axes.step(places, accuracies, where="pre", color=BLUE, linewidth=1.8, label="right, of those answered")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 103)
    axes.legend(loc="lower left", frameon=False, fontsize=9)
    return _png(figure)


@drawn
def matrix_chart(found: Evaluation) -> bytes:
    """A PNG of the whole confusion matrix, each row as shares of its class: for many classes."""
    count = len(found.class_names)
    totals = found.matrix.sum(axis=1, keepdims=True)
    shares = np.divide(100.0 * found.matrix, totals, out=np.zeros(found.matrix.shape), where=totals > 0)
    side = min(max(5.0, A_CLASS * count + 2.0), 14.0)
    figure, axes = _panel("said", "true", (side + 1.0, side))
    axes.grid(False)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    figure.colorbar(image, ax=axes, shrink=0.6, label="% of the images of a class")
    step = max(1, count // 20)
    places = list(range(0, count, step))
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(places, [str(place + 1) for place in places], fontsize=8)
    return _png(figure)


def _area(count: int, total: int) -> float:
    return 15.0 + 250.0 * count / max(total, 1)


def _panel(below: str, beside: str, size: tuple[float, float] = (WIDE, HIGH)) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee", zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
    return figure, axes


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
