"""The forms that are text: .json, with a row of numbers a line, and .csv, its facts in a first line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import IO

import numpy as np

from promptlet.characters import cell
from promptlet.errors import ExportError
from promptlet.exported.facts import facts_of, shape_of, vectors_of
from promptlet.exported.fields import is_number, strict_object
from promptlet.exported.vectors import Vectors
from promptlet.promptfile.strict_json import shorten, write_json

MOST_JSON = 1 << 28
"""Bytes. Held as Python's own numbers, a text takes some times the room that it takes as a file."""
MOST_CSV = 1 << 32
MOST_LINE = 1 << 26
MARK = "# "
"""Before the facts in the first line of a CSV."""
NAME = "name"
ROOM = 64
"""Bytes that a number may take in a line, with what is around it."""


def write_json_file(file: IO[bytes], vectors: Vectors) -> None:
    """The facts, then the classes: a line each."""
    lines = [f"{json.dumps(key)}: {write_json(value)}" for key, value in facts_of(vectors).items()]
    rows = ",\n".join(f"[{numbers}]" for numbers in _rows(vectors.classes))
    text = "{\n" + ",\n".join([*lines, f'"classes": [\n{rows}\n]']) + "\n}\n"
    file.write(text.encode())


def read_json_file(file: IO[bytes]) -> Vectors:
    """The vectors. Raises ExportError."""
    facts = strict_object(_text(file.read(MOST_JSON)), "the file")
    rows = facts.pop("classes", None)
    count, dim = shape_of(facts)
    if not isinstance(rows, list) or len(rows) != count:
        raise ExportError(f"classes must be a list of {count:,} lists of {dim} numbers")
    classes = np.empty((count, dim), np.float32)
    for row, numbers in enumerate(rows):
        if not isinstance(numbers, list) or len(numbers) != dim or not all(map(is_number, numbers)):
            raise ExportError(f"classes[{row}] must be a list of {dim} finite numbers")
        with np.errstate(all="ignore"):
            classes[row] = np.array(numbers, np.float64)
    return vectors_of(facts, classes)


def write_csv(file: IO[bytes], vectors: Vectors) -> None:
    """``# {facts}``, then a table: the class's name, and a column for each feature."""
    head = ",".join([NAME, *map(str, range(vectors.dim))])
    file.write(f"{MARK}{write_json(facts_of(vectors))}\n{head}\n".encode())
    for name, numbers in zip(vectors.names, _rows(vectors.classes), strict=True):
        file.write(f"{_quoted(name)},{numbers}\n".encode())


def read_csv(file: IO[bytes]) -> Vectors:
    """The vectors. Raises ExportError."""
    first = _line(file, MOST_LINE).removeprefix("\ufeff")
    if not first.startswith(MARK):
        raise ExportError(f"its first line must be the facts, '# {{...}}', not {shorten(first)}")
    facts = strict_object(first.removeprefix(MARK), "its first line")
    count, dim = shape_of(facts)
    wide = 8192 + ROOM * dim
    if next(csv.reader([_line(file, wide)]), []) != [NAME, *map(str, range(dim))]:
        raise ExportError(f"its second line must be the columns: {NAME},0,...,{dim - 1}")
    rows = []
    for number, name in enumerate(facts["names"], 3):
        rows.append(_numbers(_line(file, wide), number, name, dim))
    if file.read(1):
        raise ExportError(f"after its {count:,} classes more follows")
    return vectors_of(facts, np.stack(rows))


def _numbers(line: str, number: int, name: str, dim: int) -> np.ndarray:
    """Of the class of this name, in line ``number``."""
    try:
        [cells] = csv.reader([line], strict=True)
        if cells[0] != str(cell(name)):
            raise ExportError(f"line {number} must be of class {shorten(name)}, not {shorten(cells[0])}")
        with np.errstate(all="ignore"):
            numbers = np.array([float(one) for one in cells[1:]], np.float64).astype(np.float32)
    except (ValueError, csv.Error, IndexError) as error:
        raise ExportError(f"line {number} is no row of this table ({shorten(str(error))})") from None
    if len(numbers) != dim:
        raise ExportError(f"line {number} has {len(numbers)} numbers, expected {dim}: cut off, or changed")
    return numbers


def _rows(classes: np.ndarray) -> Iterator[str]:
    """Of each row its numbers, with the 9 digits that tell every float32 from its neighbours."""
    for row in classes:
        yield ",".join(f"{number:.9g}" if number else str(number) for number in row.tolist())  # -0.0, not -0


def _line(file: IO[bytes], most: int) -> str:
    line = file.readline(most)
    if len(line) == most:
        raise ExportError(f"one of its lines has {most:,} bytes or more")
    return _text(line).rstrip("\r\n")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExportError(f"it is no UTF-8 ({error.reason} at byte {error.start})") from None


def _quoted(name: str) -> str:
    """A cell of the table, which no spreadsheet takes for a formula."""
    written = StringIO()
    csv.writer(written, lineterminator="").writerow([cell(name)])
    return written.getvalue()
