"""Files of arrays (.npz): read without pickle, written whole. What the arrays mean is said elsewhere."""

from __future__ import annotations

import math
import os
import secrets
import struct
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from promptlet.data.files import open_regular
from promptlet.errors import DataError, why

SUFFIX = ".npy"
FREE_BYTES = 1 << 24
MOST_PACKED = 100
"""An array may be so many times as large as it lies packed, where it is larger than `FREE_BYTES`."""
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
FAULTS = (
    *(ValueError, KeyError, EOFError, SyntaxError, TokenError, RecursionError, MemoryError, OverflowError),
    *(NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error),
)
"""What zipfile and NumPy raise of damaged bytes."""

Arrays = dict[str, npt.NDArray[Any]]


def read_arrays(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), what: str = "", writer: str = ""
) -> Arrays:
    """The arrays of these names; others are passed over, and pickled content is never loaded.

    what: the kind of file and ``writer`` the function that writes it, as errors call them. Raises DataError
    for a file that cannot be read or has no array of a required name.
    """
    try:
        with open_regular(path) as file:
            if not zipfile.is_zipfile(file):
                raise DataError(f"{path}: is no .npz file, or is cut off; write it with {writer}")
            file.seek(0)
            return _read(file, path, required, optional, what)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({why(error)}); give an existing .npz file") from error


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write the file; it appears whole or not at all. Raises DataError when it cannot be written."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                np.savez(file, allow_pickle=False, **arrays)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); choose a folder with room to write in"
        ) from error


def _read(file: IO[bytes], path: Path, required: Sequence[str], optional: Sequence[str], what: str) -> Arrays:
    name = "its directory"
    try:
        with zipfile.ZipFile(file) as archive:
            held = {entry.removesuffix(SUFFIX): entry for entry in archive.namelist()}
            missing = [name for name in required if name not in held]
            if missing:
                raise DataError(
                    f"{path}: has no array {', '.join(missing)}; it has "
                    f"{', '.join(held) or 'none'}; {what} needs {', '.join(required)}"
                )
            arrays: Arrays = {}
            for name in (*required, *(name for name in optional if name in held)):
                arrays[name] = _array(archive, held[name])
            return arrays
    except (DataError, OSError) as error:
        if isinstance(error, DataError) or error.errno is not None:
            raise
        raise DataError(f"{path}: {name} cannot be read: damaged ({error}); copy the file again") from error
    except Exception as error:  # zipfile, zlib and NumPy raise anything on damaged bytes
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: {name} is an array of Python objects, which is never loaded; save text as "
                f"np.array({name}, dtype=str)"
            ) from error
        said = str(error) or type(error).__name__
        raise DataError(f"{path}: {name} cannot be read: damaged ({said}); copy the file again") from error


def _array(archive: zipfile.ZipFile, entry: str) -> npt.NDArray[Any]:
    """One array; nothing is set aside for it before its header agrees with the bytes that are there."""
    about = archive.getinfo(entry)
    most = max(FREE_BYTES, MOST_PACKED * about.compress_size)
    if about.file_size > most:
        raise ValueError(f"{about.compress_size:,} bytes claim to be {about.file_size:,} when unpacked")
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        header = HEADERS.get(version)
        if header is None:
            raise ValueError(f"the .npy format {version[0]}.{version[1]} is not one of 1.0 and 2.0")
        shape, _, dtype = header(file)
        needed = math.prod(shape) * dtype.itemsize
        there = about.file_size - file.tell()
        if not dtype.hasobject and (needed != there or any(side < 0 for side in shape)):
            raise ValueError(
                f"its header asks for the shape {_short(shape)} of {dtype}, but {there:,} bytes follow"
            )
        file.seek(0)
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    if dtype.kind == "U" and array.size and dtype.itemsize:
        highest = int(np.ravel(array).view(dtype.str.replace("U", "u4")[:3]).max())
        if highest > sys.maxunicode:
            raise ValueError(f"{highest:#x} is no character")
    return array


def _short(shape: tuple[int, ...]) -> str:
    text = str(shape)
    return text if len(text) <= 80 else f"{text[:77]}..."
