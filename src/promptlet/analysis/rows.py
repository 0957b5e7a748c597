"""What was measured, one record per (data set, method, seed); read with suspicion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, final

from msgspec import Meta

from promptlet.errors import DataError, shown
from promptlet.protocols import RunStore
from promptlet.protocols.records.shapes import SCHEMA, Percent, Training
from promptlet.protocols.records.trust import LEFT_OUT
from promptlet.typed import Count, Finite, what_is_wrong

DENSITY = "density"
"""The name of this protocol in runs and file names."""

Row = Mapping[str, Any]
Curve = Annotated[list[Finite], Meta(min_length=1)]


class Layer(TypedDict):
    """What was measured of the context at one text layer: numbers, and one by singular value."""

    effective_rank: Finite
    stable_rank: Finite
    singular_values: Curve
    density: Curve


class Point(TypedDict):
    """What was measured after an epoch."""

    epoch: Count
    base: Percent
    new: Percent
    layers: Annotated[list[Layer], Meta(min_length=1)]


class _Set(TypedDict, total=False):
    settings: Training


class Measured(_Set):
    """The record of a finished run."""

    schema: Literal[1]
    status: Literal["done"]
    protocol: Literal["density"]
    key: str
    dataset: str
    method: str
    label: str
    seed: Count
    points: Annotated[list[Point], Meta(min_length=1)]


@final
class DensityStore(RunStore):
    """A folder as `RunStore` keeps it, of records with ``points`` in the place of scores."""

    def problem(self, content: Row, key: str) -> str:
        """What keeps it from being the record of a finished run, or an empty text."""
        if content.get("schema") != SCHEMA:
            return f"has schema {shown(content.get('schema'))}, this version of Promptlet reads {SCHEMA}"
        if content.get("status") == "failed":
            reason = content.get("reason")
            return f"failed: {reason if isinstance(reason, str) else shown(reason)}"
        wrong = what_is_wrong(content, Measured) or _of_points(content, key)
        return f"not a record of `promptlet analyze` ({wrong}){LEFT_OUT}" if wrong else ""


def read_rows(folder: str | Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The finished records of a folder, or of a pack, in the order of their file names, and a line on each
    that is not trusted.

    Raises DataError when there is no such folder, PackError for a damaged pack.
    """
    store = DensityStore(folder)
    if not store.exists():
        raise DataError(f"{folder}: no such folder of measurements; `promptlet analyze --out` makes one")
    return store.read_all()


def _of_points(record: Row, key: str) -> str:
    """What of a record fits no table, or an empty text: points must be of the same layers, and all there."""
    if record["key"] != key:
        return f"it is the record of {shown(record['key'])}"
    sizes = {
        tuple(len(layer[name]) for layer in point["layers"] for name in ("singular_values", "density"))
        for point in record["points"]
    }
    if len(sizes) > 1:
        return "its points are not of the same layers"
    settings: Training = record.get("settings", {})
    every, epochs = settings.get("every"), settings.get("epochs")
    if not every or not epochs:
        return ""
    found = [point["epoch"] for point in record["points"]]
    expected = len(found) == -(-epochs // every) + 1 and [*range(0, epochs, every), epochs]
    is_whole = found == expected
    return "" if is_whole else f"its points are not of every {every} of {epochs} epochs"
