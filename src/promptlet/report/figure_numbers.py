"""The figure of accuracy against how many numbers are trained, with published points held apart from ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptlet.report.drawing import GREY, LINE, MARKERS, new_figure, percents, plain, png, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PUBLISHED_TITLE = "published, CLIP ViT-B/16"


@dataclass(frozen=True)
class Point:
    """A method: how many numbers it trains, and its accuracy or H (percent)."""

    name: str
    numbers: int
    value: float


def accuracy_by_numbers(
    ours: Sequence[Point],
    published: Sequence[Point],
    measure: str,
    title: str,
    is_same: bool = False,
    names: Sequence[str] = (),
) -> bytes:
    """Accuracy up, trained numbers to the right on a logarithmic axis; what trains nothing is a level line.

    Published points are hollow and grey. They stand in the panel of ours where ``is_same`` (the same backbone
    and data sets), else in a panel with a range of its own. title: what ours are.
    names: every method of the page, for its style.
    """
    apart = bool(published) and not is_same
    rows = max(len(ours) + (0 if apart else len(published)), len(published) if apart else 0)
    figure = new_figure(4.1 + LINE * rows, 9.2 if apart else 6.6)
    panels = figure.subplots(1, 2 if apart else 1, squeeze=False)[0]
    _draw_ours(panels[0], ours, names)
    _draw_published(panels[-1], published, own_panel=apart)
    _finish(panels[0], [*ours, *([] if apart else published)], measure, title)
    if apart:
        _finish(panels[1], published, measure, PUBLISHED_TITLE)
    return png(figure)


def _draw_ours(axes: Axes, points: Sequence[Point], names: Sequence[str]) -> None:
    looks = styles([*names, *(point.name for point in points)])
    for point in points:
        style = looks[point.name]
        if point.numbers:
            solid: dict[str, Any] = {"color": style.colour, "marker": style.marker, "s": 48}
            axes.scatter([point.numbers], [point.value], label=point.name, **solid)
        else:
            dash = (0, (1 + 2 * MARKERS.index(style.marker), 2))
            label = f"{point.name} (trains nothing)"
            axes.axhline(point.value, color=style.colour, linestyle=dash, linewidth=1.3, label=label)


def _draw_published(axes: Axes, points: Sequence[Point], own_panel: bool) -> None:
    for i, point in enumerate(points):
        label = point.name if own_panel else f"published: {point.name}"
        if point.numbers:
            marker = MARKERS[i % len(MARKERS)]
            look: dict[str, Any] = {
                "facecolors": "none",
                "edgecolors": GREY,
                "linewidths": 1.3,
                "marker": marker,
            }
            axes.scatter([point.numbers], [point.value], s=52, label=label, **look)
        else:
            axes.axhline(point.value, color="#b5b5b5", linewidth=1.3, label=f"{label} (trains nothing)")


def _finish(axes: Axes, points: Sequence[Point], measure: str, title: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    plain(axes)
    numbers = [point.numbers for point in points if point.numbers] or [1]
    axes.set_xscale("log")
    axes.set_xlim(min(numbers) / 2, max(numbers) * 2)
    axes.set_ylim(percents([point.value for point in points]))
    few = max(numbers) < 100 * min(numbers)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="trained numbers", ylabel=f"{measure}, %")
    axes.set_title(title, fontsize=9)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False, fontsize=8)


def short(value: float) -> str:
    """``100``, ``1 K``, ``3.5 M``."""
    for limit, sign in ((1e6, " M"), (1e3, " K")):
        if value >= limit:
            return f"{value / limit:g}{sign}"
    return f"{value:g}"
