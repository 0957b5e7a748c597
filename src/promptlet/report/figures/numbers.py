"""The figure of accuracy against how many numbers are trained, with published points held apart from ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptlet.pages.canvas import drawn
from promptlet.report.figures.drawing import GREY, LINE, MARKERS, new_figure, percents, plain, png, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PUBLISHED_TITLE = "published, CLIP ViT-B/16"
BESIDE, WIDEST = 0.014, 0.1
"""Of the axis of numbers: from a point to the next with the same number, and what all of them may take."""


@dataclass(frozen=True)
class Point:
    """A method: how many numbers it trains, its accuracy or H (percent), and the deviation over seeds."""

    name: str
    numbers: int
    value: float
    spread: float | None = None


@drawn
def accuracy_by_numbers(
    ours: Sequence[Point],
    published: Sequence[Point],
    measure: str,
    title: str,
    is_same: bool = False,
    names: Sequence[str] = (),
) -> bytes:
    """Accuracy up, trained numbers to the right on a logarithmic axis; what trains nothing is a level line.
    Whiskers are deviations over seeds, of a level line a band. Ours with the same number stand side by side.

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
    for point, at in zip(points, _places(points), strict=True):
        style = looks[point.name]
        if point.numbers:
            solid: dict[str, Any] = {"color": style.colour, "marker": style.marker, "s": 48}
            axes.scatter([at], [point.value], label=point.name, **solid)
            whisker: dict[str, Any] = {"ecolor": style.colour, "elinewidth": 1, "capsize": 2}
            axes.errorbar(at, point.value, point.spread, fmt="none", **whisker)
        else:
            if point.spread:
                band = (point.value - point.spread, point.value + point.spread)
                axes.axhspan(*band, color=style.colour, alpha=0.15, linewidth=0)
            dash = (0, (1 + 2 * MARKERS.index(style.marker), 2))
            label = f"{point.name} (trains nothing)"
            axes.axhline(point.value, color=style.colour, linestyle=dash, linewidth=1.3, label=label)


def _places(points: Sequence[Point]) -> list[float]:
    """Where points stand on the axis of numbers: those of one number around it, or whiskers hide whiskers."""
    numbers = [point.numbers for point in points]
    low, high = _ends(numbers)
    places = []
    for i, number in enumerate(numbers):
        alike = numbers.count(number)
        aside = numbers[:i].count(number) - (alike - 1) / 2
        places.append(number * (high / low) ** (min(BESIDE, WIDEST / alike) * aside))
    return places


def _ends(numbers: Sequence[int]) -> tuple[float, float]:
    """Of the axis of numbers."""
    trained = [number for number in numbers if number] or [1]
    return min(trained) / 2, max(trained) * 2


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
    low, high = _ends([point.numbers for point in points])
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(
        percents([point.value + sign * (point.spread or 0.0) for point in points for sign in (-1, 1)])
    )
    few = high < 400 * low  # two decades, and the room on both sides
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
