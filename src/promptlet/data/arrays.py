"""Files of arrays (.npz): read without pickle, written whole. What the arrays mean is said elsewhere."""

from __future__ import annotations

import os
import secrets
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from promptlet.errors import DataError

Arrays = dict[str, npt.NDArray[Any]]


def read_arrays(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), what: str = "", writer: str = ""
) -> Arrays:
    """The arrays of these names; others are passed over, and pickled content is never loaded.

    what: the kind of file and ``writer`` the function that writes it, as errors call them. Raises DataError
    for a file that cannot be read or has no array of a required name.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise DataError(f"{path}: is no .npz file, or is cut off; write it with {writer}")
            file.seek(0)
            return _read(file, path, required, optional, what)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); give an existing .npz file"
        ) from error


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
        with np.load(file, allow_pickle=False) as archive:
            missing = [name for name in required if name not in archive.files]
            if missing:
                raise DataError(
                    f"{path}: has no array {', '.join(missing)}; it has "
                    f"{', '.join(archive.files) or 'none'}; {what} needs {', '.join(required)}"
                )
            arrays: Arrays = {}
            for name in (*required, *(name for name in optional if name in archive.files)):
                arrays[name] = archive[name]
            return arrays
    except DataError:
        raise
    except (ValueError, zlib.error, zipfile.BadZipFile, EOFError, MemoryError, NotImplementedError) as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: {name} is an array of Python objects, which is never loaded; save text as "
                f"np.array({name}, dtype=str)"
            ) from error
        raise DataError(f"{path}: {name} cannot be read: damaged ({error}); copy the file again") from error
