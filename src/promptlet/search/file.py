"""The file of an index: paths, what their files looked like, and features, which stay on the disk.

It is a plain safetensors file. Metadata: ``promptlet_index`` (the format), ``folder``, ``backbone``,
``fingerprint``, ``identity``. Tensors, for N images of D features:

stamps    I64 (N, 2)   bytes of each image's file, and when it was changed, in nanoseconds
ends      I64 (N,)     where each path ends in ``paths``
check     I64 (1,)     CRC-32 of stamps, ends, contents and paths
features  F16 (N, D)   of length 1
contents  U8 (N, 16)   content hash of each image
paths     U8 (B,)      below the folder, with / between, as the system writes them; in order
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from promptlet.data.files import open_regular
from promptlet.disk import room_problem
from promptlet.errors import DataError, OptionError, why

FORMAT = "1"
FORMAT_KEY = "promptlet_index"
MOST_HEADER = 1 << 20
BLOCK = 1 << 16
"""Rows that are written, or looked at, at a time."""
FEATURE = np.dtype("<f2")
"""Half the room of float32, as quick to ask: the ranking is the same but for near-ties."""
DTYPES: dict[str, np.dtype[Any]] = {"F16": FEATURE, "I64": np.dtype("<i8"), "U8": np.dtype("u1")}
AGAIN = "remove it, and it is made anew"

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Facts:
    """folder: whose images these are. backbone: its name; fingerprint: its identity; identity: that of the
    features, which also hangs on what they are computed in."""

    folder: str
    backbone: str
    fingerprint: str
    identity: str


class Paths:
    """N paths in one block of bytes: of a million images, a tenth of what a list of texts takes."""

    def __init__(self, block: bytes, ends: Array) -> None:
        self.block, self.ends = block, ends

    @classmethod
    def of(cls, paths: Iterable[str]) -> Paths:
        """Those of a list."""
        parts = [os.fsencode(path) for path in paths]
        return cls(b"".join(parts), np.cumsum([len(part) for part in parts], dtype="<i8"))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> str:
        begin = int(self.ends[row - 1]) if row else 0
        return os.fsdecode(self.block[begin : int(self.ends[row])])

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True, eq=False)
class Stored:
    """N images of an index. stamps (N, 2) int64, contents (N, 16) uint8, features (N, D) float16, which are
    read from the disk as they are looked at."""

    facts: Facts
    paths: Paths
    stamps: Array
    contents: Array
    features: Array

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def dim(self) -> int:
        """D."""
        return int(self.features.shape[1])


def empty(facts: Facts, dim: int) -> Stored:
    """An index of no image."""
    return Stored(
        facts,
        Paths.of(()),
        np.zeros((0, 2), "<i8"),
        np.zeros((0, 16), np.uint8),
        np.zeros((0, dim), FEATURE),
    )


def write_index(path: Path, content: Stored, blocks: Iterable[Array]) -> None:
    """Write the file, whole or not at all. blocks: of features, in the place of the content's own, one after
    the other, so that they need not be in memory together. Raises OptionError where it cannot be written."""
    tensors = _in_order(content)
    header = _header(content.facts, tensors)
    path = path.resolve()  # of a link, what it points to
    needed = len(header) + sum(array.nbytes for array in tensors.values())
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        problem = room_problem(path.parent, needed)
        if problem:
            raise OSError(problem)
        try:
            with temporary.open("xb") as file:
                file.write(header)
                for name, array in tensors.items():
                    for block in blocks if name == "features" else (array,):
                        file.write(np.ascontiguousarray(block, array.dtype).data)
                if file.tell() != needed:
                    raise ValueError(f"{file.tell():,} bytes of {needed:,}: not a row of features a path")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105 (atomic on every system, and named for it)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OptionError(
            f"the index {path} cannot be written ({why(error)}); free some space, or write elsewhere: "
            "--index FILE"
        ) from error


def read_index(path: Path) -> Stored:
    """The index, of which features stay on the disk. Raises DataError for a file that is none, or damaged."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(8)
            length = int.from_bytes(head, "little")
            if len(head) < 8 or not 2 <= length <= min(MOST_HEADER, size - 8):
                raise DataError(f"{path} is no index of images; give another file")
            places, facts = _parsed(file.read(length), path)
            start = 8 + length
            if max((end for _, _, _, end in places.values()), default=-1) != size - start:
                raise DataError(f"{path}: the index is cut off, or has more than it says; {AGAIN}")
            held = {
                name: _read(file, start, places[name]) for name in places if name not in ("features", "paths")
            }
            _, _, begin, end = places["paths"]
            file.seek(start + begin)
            paths = Paths(file.read(end - begin), held["ends"])
    except OSError as error:
        raise DataError(f"the index {path} cannot be read ({why(error)}); check the path") from error
    dtype, shape, begin, _ = places["features"]
    features = (
        np.memmap(path, dtype, "c", start + begin, shape) if shape[0] else np.zeros(shape, FEATURE)
    )  # "c": torch warns of what it may not write
    found = Stored(facts, paths, held["stamps"], held["contents"], features)
    if int(held["check"][0]) != _check(found):
        raise DataError(f"{path}: the index is damaged; {AGAIN}")
    return found


def _in_order(content: Stored) -> dict[str, Array]:
    """Its tensors, wider numbers first, so that all lie aligned."""
    return {
        "stamps": content.stamps,
        "ends": content.paths.ends,
        "check": np.array([_check(content)], "<i8"),
        "features": content.features,
        "contents": content.contents,
        "paths": np.frombuffer(content.paths.block, np.uint8),
    }


def _check(content: Stored) -> int:
    found = 0
    for array in (content.stamps, content.paths.ends, content.contents):
        found = zlib.crc32(np.ascontiguousarray(array).data, found)
    return zlib.crc32(content.paths.block, found)


def _header(facts: Facts, tensors: Mapping[str, Array]) -> bytes:
    names = {dtype: name for name, dtype in DTYPES.items()}
    told: dict[str, Any] = {"__metadata__": {FORMAT_KEY: FORMAT, **asdict(facts)}}
    place = 0
    for name, array in tensors.items():
        end = place + array.nbytes
        told[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [place, end],
        }
        place = end
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


Place = tuple[np.dtype[Any], tuple[int, ...], int, int]


def _parsed(header: bytes, path: Path) -> tuple[dict[str, Place], Facts]:
    """Where each tensor lies, and the facts."""
    try:
        told = json.loads(header)
        about = told.pop("__metadata__")
        if FORMAT_KEY not in about:
            raise KeyError(FORMAT_KEY)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{path} is no index of images; give another file") from None
    if about[FORMAT_KEY] != FORMAT:
        raise DataError(
            f"{path} is an index of format {about[FORMAT_KEY]!r}, which a newer Promptlet wrote; this one "
            f"reads {FORMAT}: upgrade, or give another file"
        )
    try:
        places = {name: _place(told[name]) for name in EXPECTED}
        facts = Facts(**{name: str(about[name]) for name in Facts.__dataclass_fields__})
        _check_shapes(places)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise DataError(f"{path}: the index is damaged; {AGAIN}") from None
    return places, facts


EXPECTED = {"features": 2, "stamps": 2, "ends": 1, "check": 1, "contents": 2, "paths": 1}
"""Tensors, and how many sides they have."""


def _place(entry: Mapping[str, Any]) -> Place:
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if not all(type(side) is int and 0 <= side < sys.maxsize for side in (*shape, begin, end)):
        raise ValueError("sizes")
    return DTYPES[entry["dtype"]], shape, int(begin), int(end)


def _check_shapes(places: Mapping[str, Place]) -> None:
    """Raise ValueError unless all tensors are of N images, and follow one another."""
    if any(len(places[name][1]) != sides for name, sides in EXPECTED.items()):
        raise ValueError("sides")
    count = places["ends"][1][0]
    fixed = {"stamps": (count, 2), "ends": (count,), "check": (1,), "contents": (count, 16)}
    position = 0
    for name, (dtype, shape, begin, end) in sorted(places.items(), key=lambda item: item[1][2:]):
        size = dtype.itemsize
        for side in shape:
            size *= side
        if shape != fixed.get(name, shape) or begin != position or end - begin != size:
            raise ValueError(name)
        position = end
    if places["features"][1][0] != count or not places["features"][1][1]:
        raise ValueError("features")


def _read(file: Any, start: int, place: Place) -> Array:
    dtype, shape, begin, end = place
    file.seek(start + begin)
    return np.frombuffer(file.read(end - begin), dtype).reshape(shape)
