"""A flat table as CSV text or as a Parquet file's bytes."""

from __future__ import annotations

import csv
import io
from typing import Any

from promptlet.characters import cell
from promptlet.errors import MissingExtraError
from promptlet.report.formats.flat.table import NUMBER, TEXT, TEXTS, TRUTH, WHOLE, WHOLES, Flat


def as_csv(flat: Flat) -> str:
    """Comma-separated, with a head; a list is told with spaces between, what is not there as nothing. Text
    that a spreadsheet would take for a formula has an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(cell, flat.columns))
    for row in flat.rows:
        told = (" ".join(map(str, value)) if isinstance(value, list) else value for value in row)
        writer.writerow(map(cell, told))
    return text.getvalue()


def as_parquet(flat: Flat) -> bytes:
    """Typed columns; what is not there is null. Raises MissingExtraError without pyarrow."""
    arrow, parquet = _import_pyarrow()
    types = {
        TEXT: arrow.string(),
        WHOLE: arrow.int64(),
        NUMBER: arrow.float64(),
        TRUTH: arrow.bool_(),
        WHOLES: arrow.list_(arrow.int64()),
        TEXTS: arrow.list_(arrow.string()),
    }
    names = list(flat.columns)
    columns = [
        arrow.array([_valid(row[i]) for row in flat.rows], type=types[flat.columns[name]])
        for i, name in enumerate(names)
    ]
    buffer = io.BytesIO()
    parquet.write_table(arrow.table(dict(zip(names, columns, strict=True))), buffer)
    return buffer.getvalue()


def _valid(value: Any) -> Any:
    """Texts from JSON may hold halves of characters, which Parquet's cannot."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _import_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files need the optional package pyarrow: pip install 'promptlet[parquet]'"
        ) from error
    return pyarrow, pyarrow.parquet
