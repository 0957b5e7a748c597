"""What was measured, one record per (data set, method, seed); read with suspicion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from promptlet.errors import DataError
from promptlet.protocols import RunStore
from promptlet.protocols.records.trust import REMOVE_IT, SCHEMA, is_number

DENSITY = "density"
"""The name of this protocol in runs and file names."""

Row = Mapping[str, Any]
TEXTS = ("key", "dataset", "method", "label")
RANKS = ("effective_rank", "stable_rank")
LISTS = ("singular_values", "density")


@final
class DensityStore(RunStore):
    """A folder as `RunStore` keeps it, of records with ``points`` in the place of scores."""

    def problem(self, content: Row, key: str) -> str:
        """What keeps it from being the record of a finished run, or an empty text."""
        if content.get("schema") != SCHEMA:
            return f"has schema {content.get('schema')!r}, this version of Promptlet reads {SCHEMA}"
        if content.get("status") == "failed":
            return f"failed: {content.get('reason')}"
        if not (_is_row(content) and content["key"] == key):
            return f"not a record of `promptlet analyze`; it was left out{REMOVE_IT}"
        return ""


def read_rows(folder: str | Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The finished records of a folder, or of a pack, in the order of their file names, and a line on each
    that is not trusted.

    Raises DataError when there is no such folder, PackError for a damaged pack.
    """
    store = DensityStore(folder)
    if not store.exists():
        raise DataError(f"{folder}: no such folder of measurements; `promptlet analyze --out` makes one")
    return store.read_all()


def _is_row(record: Row) -> bool:
    points = record.get("points")
    return (
        record.get("protocol") == DENSITY
        and record.get("status") == "done"
        and all(isinstance(record.get(name), str) for name in TEXTS)
        and type(record.get("seed")) is int
        and isinstance(points, list)
        and len(points) > 0
        and all(_is_point(point) for point in points)
    )


def _is_point(point: object) -> bool:
    if not isinstance(point, dict) or type(point.get("epoch")) is not int:
        return False
    layers = point.get("layers")
    return (
        is_number(point.get("base"))
        and is_number(point.get("new"))
        and isinstance(layers, list)
        and len(layers) > 0
        and all(_is_layer(layer) for layer in layers)
    )


def _is_layer(layer: object) -> bool:
    if not isinstance(layer, dict):
        return False
    lists: Sequence[object] = [layer.get(name) for name in LISTS]
    return all(is_number(layer.get(name)) for name in RANKS) and all(
        isinstance(values, list) and values and all(map(is_number, values)) for values in lists
    )
