"""Answers as a Parquet file: made whole, in groups of rows, from those of before and lines added since."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from promptlet.errors import MissingExtraError, OptionError, why
from promptlet.own_images.written.tables import NAME, PATH, Shape

GROUP = 8192
"""Rows of a group; as many are held in memory."""


def import_parquet() -> tuple[Any, Any]:
    """pyarrow and its Parquet. Raises MissingExtraError."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files need the optional package pyarrow: pip install 'promptlet[parquet]'; or give "
            "--out a name ending in .csv or .jsonl"
        ) from error
    return pyarrow, pyarrow.parquet


def key(path: str) -> str:
    """How a path stands in the file, which holds no halves of characters."""
    return path.encode("utf-8", "backslashreplace").decode()


def keys(path: Path, shape: Shape) -> Iterator[str]:
    """The paths in a file. Raises OptionError where it is none of these columns."""
    _, parquet = import_parquet()
    try:
        with parquet.ParquetFile(path) as file:
            if file.schema_arrow.names != shape.columns:
                raise ValueError("its columns were changed")
            for batch in file.iter_batches(GROUP, columns=[PATH]):
                yield from map(str, batch.column(0).to_pylist())
    except Exception as error:  # of a library's own kinds
        raise OptionError(
            f"--resume: {path} cannot be read ({type(error).__name__}: {why(error)}); give --force to begin "
            "anew"
        ) from error


def make(path: Path, shape: Shape, lines: Iterable[str]) -> None:
    """Write ``path`` anew: its rows of before, and those of ``lines`` (JSON) whose path it does not have. It
    changes at once and whole, or not at all. Raises OSError."""
    arrow, parquet = import_parquet()
    schema = _schema(arrow, shape)
    temporary = path.with_name(f".promptlet-{secrets.token_hex(8)}.tmp")
    seen: set[str] = set()
    try:
        with parquet.ParquetWriter(temporary, schema) as writer:
            if path.exists():
                with parquet.ParquetFile(path) as before:
                    for batch in before.iter_batches(GROUP):
                        seen.update(batch.column(0).to_pylist())
                        writer.write_batch(batch.cast(schema))
            rows = (shape.row(json.loads(line)) for line in lines)
            rows = ([key(row[0]), *row[1:]] for row in rows)
            new = (row for row in rows if row[0] not in seen)
            while group := list(islice(new, GROUP)):
                columns = zip(schema, zip(*group, strict=True), strict=True)
                arrays = [arrow.array(values, field.type) for field, values in columns]
                writer.write_batch(arrow.record_batch(arrays, schema=schema))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _schema(arrow: Any, shape: Shape) -> Any:
    def kind(name: str, place: int) -> Any:
        is_text = name == PATH or (name.startswith(NAME) and (place == 1 or not shape.wide))
        return arrow.string() if is_text else arrow.float32()

    return arrow.schema([(name, kind(name, place)) for place, name in enumerate(shape.columns)])
