"""What the figures of a report share: a style per method, axes, a legend beside them, PNG bytes.

By matplotlib, without a window and without global state.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptlet.characters import visible_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which colour-blind readers tell apart."""
MARKERS = "os^DvPX*"
DASHES = ("-", "--", ":")
GREY, PALE = "#767676", "#dddddd"
UNTRAINED = "zero_shot"
WIDTH, HEIGHT, LINE = 8.6, 3.6, 0.18
"""Inches; of a figure, and of a line in a legend."""
DPI = 130
LONGEST = 48
"""Signs of a name."""


@dataclass(frozen=True)
class Style:
    """How one method looks in every figure of a page: no two of 56 methods look the same."""

    colour: str
    marker: str
    dash: str


def styles(names: Iterable[str]) -> dict[str, Style]:
    """By name, in the order given; those of zero-shot CLIP are grey."""
    found: dict[str, Style] = {}
    trained = 0
    for name in dict.fromkeys(names):
        if name.startswith(UNTRAINED):
            found[name] = Style(GREY, MARKERS[(len(found) - trained) % len(MARKERS)], "-")
        else:
            colour, marker = COLOURS[trained % len(COLOURS)], MARKERS[trained % len(MARKERS)]
            found[name] = Style(colour, marker, DASHES[trained // len(COLOURS) % len(DASHES)])
            trained += 1
    return found


def plain_names(names: Iterable[str], longest: int = LONGEST) -> dict[str, str]:
    """By name: what can be drawn of it. Short enough, without signs that a figure cannot hold or takes for a
    formula; still no two alike."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        text = visible_lines(" ".join(name.split()))
        text = text if len(text) <= longest else f"{text[: longest - 3]}..."
        text = text.replace("$", r"\$")
        text = f" {text}" if text.startswith("_") else text
        again = sum(other == text for other in found.values())
        while text in found.values():
            again += 1
            text = f"{text} ({again})"
        found[name] = text
    return found


def by_label(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by the method they name, in their order."""
    return by_name(rows, "label")


def by_name(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    """Rows by one of their values, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found


def new_figure(height: float = HEIGHT, width: float = WIDTH) -> Figure:
    """A figure of some inches that lays itself out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def one_panel(entries: int, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """A figure of one panel, high enough for so many lines in the legend beside it."""
    figure = new_figure(max(height, LINE * entries + 0.5))
    axes = figure.subplots()
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    """Two spines, a pale grid behind everything."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee", zorder=0)
    axes.set_axisbelow(True)


def around(values: Sequence[float], least: float = 1.0) -> tuple[float, float]:
    """Limits of an axis that leave room on both sides of finite values."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(0.08 * (high - low), least / 2)
    return low - room, high + room


def percents(values: Sequence[float]) -> tuple[float, float]:
    """The same, with no more room beyond 0 and 100 than a point, or than the values take."""
    low, high = around(values)
    return max(low, min([-1.0, *values])), min(high, max([101.0, *values]))


def step_of(span: float, about: int) -> float:
    """A round step (1, 2 or 5 times a power of ten) that goes about so many times into ``span``."""
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)


def png(figure: Figure, legend: Axes | None = None) -> bytes:
    """The figure as it is, with the legend of ``legend`` to the right of everything."""
    if legend is not None:
        handles, labels = legend.get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in a script of another font
        figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
