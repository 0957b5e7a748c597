"""A study as one figure, PNG bytes by matplotlib: a panel per accuracy, with lines along an option or with a
point per kind. No window, no global state."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptlet.pages.canvas import drawn
from promptlet.protocols.plan.studies import Setting
from promptlet.report.figures.drawing import COLOURS, GREY, MARKERS
from promptlet.report.statistics.studies import Row, StudyResult, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = ("-", "--")
PANEL_WIDTH, PANEL_HEIGHT, LEAST_WIDTH = 3.1, 2.7, 5.0
LEGEND_WIDTH, LEGEND_HEIGHT, KIND_HEIGHT, AROUND = 2.4, 0.22, 0.26, 0.9
"""Inches."""
DOUBLING = ("rank", "n_ctx")
"""Axes on which each step doubles."""
AXES = {"rank": "rank", "n_ctx": "vectors of the context (n_ctx)", "dropout": "dropout"}
TITLES = {"base": "base classes, %", "new": "new classes, %", "H": "H of base and new, %"} | {
    "all": "accuracy among all names, %",
    "openworld_auc": "OpenworldAUC, %",
    "accuracy": "accuracy, %",
    "source_accuracy": "accuracy on the source, %",
}


@dataclass(frozen=True)
class _Series:
    """Settings of one label, in the study's order, with their rows; settings without one are not in it.

    is_level: whether the option on the axis is none of theirs, so that they are a line across it.
    """

    label: str
    colour: str
    dash: str
    marker: str
    is_level: bool
    points: tuple[tuple[Setting, Row | None], ...]


@drawn
def study_figure(result: StudyResult) -> bytes:
    """The figure of a study; what is missing in ``result`` is missing in it.

    Error bars are deviations over seeds. The panels show stretches of the same length, so that a point is as
    long in one as in another. What does not have the option on the axis is a level line.
    """
    series, is_of_kinds = _series(result), not result.study.axis
    names = result.measures
    width = max(LEAST_WIDTH, PANEL_WIDTH * len(names) + (1.6 if is_of_kinds else 0.0))
    columns = max(1, int(width / LEGEND_WIDTH))
    legend = LEGEND_HEIGHT * math.ceil(len(series) / columns)
    height = AROUND + (KIND_HEIGHT * len(series) if is_of_kinds else PANEL_HEIGHT + legend)
    figure, panels = _panels(len(names), width, height)
    for panel, name in zip(panels, names, strict=True):
        panel.set_title(TITLES[name], fontsize=10)
        if is_of_kinds:
            _draw_kinds(panel, series, name)
        else:
            _draw_lines(panel, series, name, result.study.axis)
    _same_stretch(panels, "x" if is_of_kinds else "y")
    if is_of_kinds:
        _name_kinds(panels, series)
    else:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
    figure.suptitle(_title(result), fontsize=9, color=GREY)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _series(result: StudyResult) -> list[_Series]:
    """Those with a row. A colour and a marker per group; lines of one group differ in their dashes."""
    axis = result.study.axis
    groups = list(dict.fromkeys(s.group for s in result.study.settings if s.options))
    dashes: dict[str, dict[str, str]] = {group: {} for group in groups}
    points: dict[str, list[tuple[Setting, Row | None]]] = {}
    for setting, row, _ in result.lines:
        points.setdefault(setting.label, []).append((setting, row))
        if setting.options.get(axis) is not None:
            own = dashes[setting.group]
            own.setdefault(setting.label, DASHES[len(own) % len(DASHES)])
    found = []
    for label, own_points in points.items():
        group = own_points[0][0].group
        place = groups.index(group) if group in groups else None
        colour = GREY if place is None else COLOURS[place % len(COLOURS)]
        marker = "x" if place is None else MARKERS[place % len(MARKERS)]
        dash = dashes.get(group, {}).get(label, "")
        if any(row is not None for _, row in own_points):
            found.append(_Series(label, colour, dash or ":", marker, not dash, tuple(own_points)))
    return found


def _draw_lines(panel: Axes, series: Sequence[_Series], name: str, axis: str) -> None:
    across: set[float] = set()
    lines = [one.label for one in series if not one.is_level]
    for one in series:
        if one.is_level:
            [row, *_] = [row for _, row in one.points if row is not None]
            panel.axhline(row[name], color=one.colour, linestyle=one.dash, linewidth=1.4, label=one.label)
            continue
        at = [float(setting.options[axis]) for setting, _ in one.points]
        values = [math.nan if row is None else float(row[name]) for _, row in one.points]
        aside = lines.index(one.label) - (len(lines) - 1) / 2  # or error bars hide each other
        beside = [x * 2 ** (0.05 * aside) if axis in DOUBLING else x + 0.004 * aside for x in at]
        panel.errorbar(
            beside, values, yerr=_spreads(one, name), color=one.colour, linestyle=one.dash, marker=one.marker,
            markersize=5, markerfacecolor="white" if one.dash == "--" else one.colour, linewidth=1.5,
            elinewidth=1, capsize=2.5, label=one.label,
        )  # fmt: skip
        across |= set(at)
    ticks = sorted(across)
    if axis in DOUBLING:
        panel.set_xscale("log", base=2)
        ticks = [tick for tick in ticks if math.log2(tick).is_integer()]
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.minorticks_off()
    panel.set_xlabel(AXES.get(axis, axis), fontsize=9)


def _draw_kinds(panel: Axes, series: Sequence[_Series], name: str) -> None:
    """Points, since a bar's length would only mean something from zero on; from zero-shot to each of them a
    thin line."""
    still = [
        row[name] for one in series for setting, row in one.points if row is not None and not setting.options
    ]
    for place, one in enumerate(series):
        [(_, row)] = one.points
        value = math.nan if row is None else float(row[name])
        if still:
            panel.plot([still[0], value], [place, place], color=one.colour, linewidth=2.5, alpha=0.35)
        panel.errorbar(
            [value], [place], xerr=_spreads(one, name), color=one.colour, marker=one.marker, markersize=6,
            elinewidth=1.2, capsize=3, linestyle="none",
        )  # fmt: skip
    if still:
        panel.axvline(still[0], color=GREY, linestyle=":", linewidth=1.4)


def _name_kinds(panels: Sequence[Axes], series: Sequence[_Series]) -> None:
    for panel in panels:
        labels = [one.label for one in series] if panel is panels[0] else [""] * len(series)
        panel.set_yticks(range(len(series)), labels)
        panel.set_ylim(len(series) - 0.4, -0.6)  # the first on top


def _spreads(one: _Series, name: str) -> list[float] | None:
    """Deviations over seeds, by point; None where no point has one."""
    own = [None if row is None else spread(row, name) for _, row in one.points]
    return None if all(value is None for value in own) else [math.nan if v is None else v for v in own]


def _same_stretch(panels: Sequence[Axes], axis: str) -> None:
    """Give all panels stretches of one length, each around its own middle."""
    limits = [panel.get_xlim() if axis == "x" else panel.get_ylim() for panel in panels]
    half = max(max(high - low for low, high in limits), 1.0) / 2
    for panel, (low, high) in zip(panels, limits, strict=True):
        middle = (low + high) / 2
        panel.set(**{f"{axis}lim": (middle - half, middle + half)})


def _title(result: StudyResult) -> str:
    seeds = dict.fromkeys(", ".join(map(str, row["seeds"])) for row in result.rows if row is not None)
    settings = result.conditions["settings"]
    schedule = f", {settings.get('name')}: {settings.get('epochs')} epochs" if settings else ""
    return f"study {result.study.name}: {result.title}, seeds: {' or '.join(seeds)}{schedule}"


def _panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(1, count, squeeze=False)[0])
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(color="#eeeeee", zorder=0)
        panel.set_axisbelow(True)
        panel.tick_params(labelsize=9)
    return figure, panels
