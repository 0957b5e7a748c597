"""What was measured, one JSON file per (data set, method, seed); read with suspicion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from promptlet.errors import DataError
from promptlet.protocols import RunStore
from promptlet.protocols.records.store import SCHEMA, is_number, read_json

DENSITY = "density"
"""The name of this protocol in runs and file names."""

Row = Mapping[str, Any]
TEXTS = ("key", "dataset", "method", "label")
RANKS = ("effective_rank", "stable_rank")
LISTS = ("singular_values", "density")


@final
class DensityStore(RunStore):
    """A folder as `RunStore` keeps it, of records with ``points`` in the place of scores."""

    def read(self, key: str) -> dict[str, Any] | None:
        """The record of a finished run; None when there is none that can be trusted."""
        record, problem = _read(self.folder / f"{key}.json")
        return None if problem else record


def read_rows(folder: str | Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The finished records in the order of their file names, and a line on each file that is not trusted.

    Raises DataError when there is no such folder.
    """
    if not Path(folder).is_dir():
        raise DataError(f"{folder}: no such folder of measurements; `promptlet analyze --out` makes one")
    found = [_read(path) for path in sorted(Path(folder).glob("*.json"))]
    return [row for row, problem in found if not problem], [problem for _, problem in found if problem]


def _read(path: Path) -> tuple[dict[str, Any], str]:
    if not path.exists():
        return {}, f"{path}: is not there"
    record, problem = read_json(path)
    if not problem and record.get("schema") != SCHEMA:
        problem = f"{path}: has schema {record.get('schema')!r}, this version of Promptlet reads {SCHEMA}"
    if not problem and record.get("status") == "failed":
        problem = f"{path}: failed: {record.get('reason')}"
    if not problem and not (_is_row(record) and record["key"] == path.stem):
        problem = f"{path}: not a record of `promptlet analyze`; it was left out: remove it"
    return record, problem


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
