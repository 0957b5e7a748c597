"""The formats in which data sets are annotated: lines of text, MATLAB files, JSON, folders of classes.

Every error is a `DataError` naming the file, and the line where there is one.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from promptlet.data.files import list_folders, open_regular, read_text
from promptlet.errors import DataError, why

AGAIN = "download or unpack it again"
MOST_MAT_BYTES = 1 << 26
PACKED = 15
"""The kind of an element in a MATLAB file that is packed with zlib."""


def read_fields(path: Path, expected: str, least: int = 1) -> Iterator[tuple[str, list[str]]]:
    """(where, fields) of every line that is not blank; fields are parted by spaces, at least ``least``."""
    try:
        text = read_text(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({why(error)}); {AGAIN}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no text in UTF-8 ({error.reason}); {AGAIN}") from error
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        where = f"{path}, line {number}"
        if fields and len(fields) < least:
            raise DataError(f"{where}: is {line.strip()!r}; expected lines such as {expected!r}")
        if fields:
            yield where, fields


def read_mat(path: Path, key: str) -> Any:
    """The value called ``key``, with structures as dicts and cells as arrays."""
    from scipy.io import loadmat

    try:
        file = open_regular(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({why(error)}); {AGAIN}") from error
    try:
        with file:
            _check_unpacked(file)
            values = loadmat(file, simplify_cells=True)
    except Exception as error:  # damaged bytes raise anything
        raise DataError(f"{path}: is no MATLAB file that can be read ({error}); {AGAIN}") from error
    if key not in values:
        found = ", ".join(name for name in values if not name.startswith("__")) or "nothing"
        raise DataError(f"{path}: holds {found}, but not {key!r}; {AGAIN}")
    return values[key]


def _check_unpacked(file: IO[bytes]) -> None:
    """Raise ValueError for a file of more than `MOST_MAT_BYTES`, packed parts counted as they are unpacked: a
    small file may ask for any memory (MAT-File Format, version 5: a header of 128 bytes, then elements)."""
    data = file.read(MOST_MAT_BYTES + 1)
    file.seek(0)
    left, place = MOST_MAT_BYTES - len(data), 128
    order = ">" if data[126:128] == b"MI" else "<"
    while left >= 0 and place + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, place)
        if kind == PACKED:
            left -= len(zlib.decompressobj().decompress(data[place + 8 : place + 8 + size], left + 1))
        place += 8 + size
    if left < 0:
        raise ValueError(f"it unpacks to more than {MOST_MAT_BYTES:,} bytes")


def read_text_map(path: Path) -> dict[str, str]:
    """A JSON object of texts."""
    try:
        content = json.loads(read_text(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({why(error)}); {AGAIN}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{path}: is not JSON ({error}); {AGAIN}") from error
    if not (isinstance(content, dict) and all(isinstance(value, str) for value in content.values())):
        raise DataError(f'{path}: expected {{"1": "pink primrose", ...}}; {AGAIN}')
    return content


def class_folders(root: Path) -> list[Path]:
    """The folders in ``root``, by name, hidden ones left out."""
    folders = list_folders(root)
    if not folders:
        raise DataError(f"{root}: has no class folders; images belong into one folder per class")
    return folders
