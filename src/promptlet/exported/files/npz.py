"""NumPy's .npz: an uncompressed ZIP of arrays, read without pickle and without trust in what it tells.

arrays = numpy.load("pets.npz")
classes, facts = arrays["classes"], json.loads(str(arrays["facts"]))
"""

from __future__ import annotations

import math
from io import BytesIO
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from promptlet.data.arrays import FAULTS
from promptlet.errors import ExportError
from promptlet.exported.facts import facts_of, shape_of, vectors_of
from promptlet.exported.fields import strict_object
from promptlet.exported.vectors import MOST_NUMBERS, Vectors
from promptlet.promptfile.strict_json import shorten, write_json

CLASSES, FACTS = "classes", "facts"
SUFFIX = ".npy"
MOST_FACTS = 1 << 28
"""Bytes of the facts, four a character."""
MOST_BYTES = 4 * MOST_NUMBERS + MOST_FACTS + (1 << 20)
MOST_HEADER = 10_000
BEGAN = (1980, 1, 1, 0, 0, 0)
"""The date of what is in it, so that the same vectors give the same bytes."""


def write_npz(file: IO[bytes], vectors: Vectors) -> None:
    """The facts as a text, the classes as float32 (C, D)."""
    facts = np.array(write_json(facts_of(vectors)))
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for name, array in ((CLASSES, vectors.classes.astype("<f4")), (FACTS, facts)):
            with archive.open(ZipInfo(name + SUFFIX, BEGAN), "w", force_zip64=True) as inside:
                np.lib.format.write_array(inside, array, allow_pickle=False)


def read_npz(file: IO[bytes]) -> Vectors:
    """The vectors. Raises ExportError."""
    try:
        with ZipFile(file) as archive:
            text = _array(_content(archive, FACTS, MOST_FACTS), FACTS)
            if text.ndim != 0 or text.dtype.kind != "U":
                raise ExportError(f"{FACTS} must be one text, not {text.dtype} {list(text.shape)}")
            facts = strict_object(str(text), FACTS)
            shape = shape_of(facts)
            content = _content(archive, CLASSES, 4 * math.prod(shape) + MOST_HEADER)
    except FAULTS as error:
        raise ExportError(f"it is no sound .npz: {shorten(str(error))}; copy it again") from error
    classes = _array(content, CLASSES)
    if classes.dtype != np.dtype("<f4"):
        raise ExportError(f"{CLASSES} must be float32, not {classes.dtype}")
    return vectors_of(facts, classes)


def write_array(file: IO[bytes], array: np.ndarray) -> None:
    """One array as .npy."""
    np.lib.format.write_array(file, array, allow_pickle=False)


def read_array(content: bytes, what: str) -> np.ndarray:
    """The array of an .npy file. Raises ExportError."""
    return _array(content, what)


def _content(archive: ZipFile, name: str, most: int) -> bytes:
    """Of what is in the ZIP under this name, of up to so many bytes. Raises ExportError."""
    entries = [one for one in archive.infolist() if one.filename == name + SUFFIX]
    if len(entries) != 1 or len(archive.infolist()) != 2:
        held = [one.filename for one in archive.infolist()]
        raise ExportError(f"it must hold {CLASSES}{SUFFIX} and {FACTS}{SUFFIX} alone, not {shorten(held)}")
    entry = entries[0]
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or entry.file_size > most:
        raise ExportError(f"{entry.filename} would have {entry.file_size:,} bytes, more than {most:,}")
    with archive.open(entry) as inside:
        content = inside.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise ExportError(f"{entry.filename} has {len(content):,} bytes, and {entry.file_size:,} are told")
    return content


def _array(content: bytes, what: str) -> np.ndarray:
    """The numbers that lie in the bytes: no memory is taken for what a header tells."""
    file = BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read: Any = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, is_fortran, dtype = read[version](file, max_header_size=MOST_HEADER)
    except FAULTS as error:
        raise ExportError(f"{what} is no array of NumPy ({shorten(str(error))})") from None
    if dtype.hasobject or dtype.kind not in "fU" or is_fortran:
        raise ExportError(f"{what} must be numbers or a text in C order, not {dtype}")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell() or dtype.itemsize == 0:
        raise ExportError(
            f"{what} of shape {shorten(list(shape))} does not fit its bytes: cut off, or changed"
        )
    try:
        array: np.ndarray = np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)
    except ValueError as error:
        raise ExportError(f"{what} is no array of NumPy ({shorten(str(error))})") from None
    return array
