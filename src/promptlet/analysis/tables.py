"""Tables of an analysis, as cells of text and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from promptlet.analysis.correlation import PAIRS, correlations, grouped, series
from promptlet.analysis.rows import Row
from promptlet.characters import markdown_row

FEW = 3
"""Runs whose rho are all shown; of more, the smallest and the largest."""
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def rho_table(rows: Sequence[Row], k: int = 1) -> Table:
    """Head and cells: rho of each run, then each pair's rho with its interval over seeds."""
    names = {"density": f"ID_{k}", "effective_rank": "effective rank", "epoch": "epoch"}
    pairs = [f"{names[x]}, {y}" for x, y in PAIRS]
    lines = []
    found = correlations(rows, k)
    for i in range(0, len(found), len(PAIRS)):
        group = found[i : i + len(PAIRS)]
        lines.append((group[0]["dataset"], group[0]["label"], _runs(group[0]), *map(_pooled, group)))
    return ("data set", "method", f"each run: {pairs[0]}", *pairs), lines


def ends_table(rows: Sequence[Row], k: int = 1) -> Table:
    """Head and cells: what was measured at the start and at the end, means over seeds."""
    columns = {f"ID_{k}": "density", "effective rank": "effective_rank", "stable rank": "stable_rank"}
    lines = []
    for dataset, label, own in grouped(rows):
        numbers = [_ends(own, name, k, "{:.3f}") for name in columns.values()]
        accuracies = [_ends(own, half, k, "{:.1f}") for half in ("base", "new")]
        lines.append((dataset, label, str(len(own)), *numbers, *accuracies))
    return ("data set", "method", "runs", *columns, "base, %", "new, %"), lines


def markdown(rows: Sequence[Row], k: int = 1) -> str:
    """Both tables."""
    return "\n\n".join(_markdown(table) for table in (rho_table(rows, k), ends_table(rows, k))) + "\n"


def _markdown(table: Table) -> str:
    head, lines = table
    return "\n".join(map(markdown_row, (head, ["---"] * len(head), *lines)))


def _ends(rows: Sequence[Row], name: str, k: int, form: str) -> str:
    curves = [series(row, name, k) for row in rows]
    first, last = (form.format(float(np.mean([curve[i] for curve in curves]))) for i in (0, -1))
    return f"{first} to {last}"


def _runs(found: Mapping[str, Any]) -> str:
    known = [value for value in found["runs"] if value is not None]
    if not known:
        return "none"
    if len(found["runs"]) <= FEW:
        return " ".join(map(_number, found["runs"]))
    return f"{_number(min(known))} to {_number(max(known))}"


def _pooled(found: Mapping[str, Any]) -> str:
    between = found["interval"]
    shown = "" if between is None else f" [{_number(between[0])}, {_number(between[1])}]"
    return _number(found["rho"]) + shown


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:+.2f}"
