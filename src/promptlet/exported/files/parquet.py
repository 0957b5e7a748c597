"""Parquet: a row a class, its name and its vector, the facts in the file's metadata (optional extra)."""

from __future__ import annotations

import math
from typing import IO, Any

import numpy as np

from promptlet.errors import ExportError, MissingExtraError
from promptlet.exported.facts import facts_of, shape_of, vectors_of
from promptlet.exported.fields import strict_object
from promptlet.exported.vectors import MOST_NUMBERS, Vectors
from promptlet.promptfile.strict_json import shorten, write_json

FACTS = b"promptlet"
NAME, VECTOR = "name", "vector"
MOST_BYTES = 4 * MOST_NUMBERS + (1 << 28)


def write_parquet(file: IO[bytes], vectors: Vectors) -> None:
    """``name`` and ``vector``, a list of D float32."""
    arrow, parquet = import_parquet()
    flat = arrow.array(vectors.classes.reshape(-1), arrow.float32())
    schema = _schema(arrow, vectors.dim).with_metadata({FACTS: write_json(facts_of(vectors)).encode()})
    columns = [
        arrow.array(vectors.names, arrow.string()),
        arrow.FixedSizeListArray.from_arrays(flat, vectors.dim),
    ]
    parquet.write_table(arrow.table(columns, schema=schema), file, compression="none", use_dictionary=False)


def read_parquet(file: IO[bytes]) -> Vectors:
    """The vectors. Raises ExportError, MissingExtraError."""
    arrow, parquet = import_parquet()
    try:
        with parquet.ParquetFile(file, read_dictionary=[NAME], thrift_string_size_limit=1 << 28) as table:
            text = (table.metadata.metadata or {}).get(FACTS)
            if text is None:
                raise ExportError("it is no file of class vectors: its metadata has no 'promptlet'")
            facts = strict_object(text.decode(), "its metadata")
            shape = shape_of(facts)
            _check_schema(arrow, table, shape)
            read = table.read()
            names = _names(read.column(0))
            values = read.column(1).combine_chunks()
            classes = np.asarray(values.flatten().to_numpy(zero_copy_only=False), np.float32)
    except ExportError:
        raise
    except Exception as error:  # of a library's own kinds
        raise ExportError(f"it is no sound Parquet file: {shorten(str(error))}; copy it again") from error
    if names != list(facts["names"]) or classes.size != math.prod(shape):
        raise ExportError("its rows are not the classes that its facts tell, in their order: it was changed")
    return vectors_of(facts, classes.reshape(shape))


def _names(column: Any) -> list[Any]:
    """One text for all rows that have it: a small file may tell a long one very often."""
    found = []
    for chunk in column.chunks:
        known = chunk.dictionary.to_pylist()
        found += [None if place is None else known[place] for place in chunk.indices.to_pylist()]
    return found


def _check_schema(arrow: Any, table: Any, shape: tuple[int, int]) -> None:
    """Before any row is read."""
    found, expected = table.schema_arrow.remove_metadata(), _read_schema(arrow, shape[1])
    if not found.equals(expected) or table.metadata.num_rows != shape[0]:
        raise ExportError(
            f"it must have {shape[0]:,} rows of {NAME} and {VECTOR} with {shape[1]} float32, not "
            f"{table.metadata.num_rows:,} of {shorten(str(found))}"
        )
    groups = (table.metadata.row_group(i) for i in range(table.metadata.num_row_groups))
    held = sum(group.total_byte_size for group in groups)
    if held > MOST_BYTES:
        raise ExportError(f"its rows would take {held:,} bytes, more than the {MOST_BYTES:,} that are read")


def _schema(arrow: Any, dim: int) -> Any:
    return arrow.schema([(NAME, arrow.string()), (VECTOR, arrow.list_(arrow.float32(), dim))])


def _read_schema(arrow: Any, dim: int) -> Any:
    texts = arrow.dictionary(arrow.int32(), arrow.string())
    return arrow.schema([(NAME, texts), (VECTOR, arrow.list_(arrow.float32(), dim))])


def import_parquet() -> tuple[Any, Any]:
    """pyarrow and its Parquet. Raises MissingExtraError."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files need the optional package pyarrow: pip install 'promptlet[parquet]'; or take "
            ".npz, .json or .csv"
        ) from error
    return pyarrow, pyarrow.parquet
