"""Which form a file of class vectors has: by how its name ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

from promptlet.errors import OptionError
from promptlet.exported.files import npz, parquet, texts
from promptlet.exported.files.whole import check_place, opened, write_whole
from promptlet.exported.vectors import Vectors


class Form(NamedTuple):
    """How it is written and read, and how many bytes such a file may have."""

    write: Callable[[IO[bytes], Vectors], None]
    read: Callable[[IO[bytes]], Vectors]
    most: int


FORMS = {
    ".npz": Form(npz.write_npz, npz.read_npz, npz.MOST_BYTES),
    ".json": Form(texts.write_json_file, texts.read_json_file, texts.MOST_JSON),
    ".csv": Form(texts.write_csv, texts.read_csv, texts.MOST_CSV),
    ".parquet": Form(parquet.write_parquet, parquet.read_parquet, parquet.MOST_BYTES),
}
SUFFIXES = tuple(FORMS)


def write_vectors(path: str | Path, vectors: Vectors, force: bool = False) -> None:
    """Write a file in the form that its name tells; force: in the place of one that is there.

    Raises OptionError for another name, ExportError where it cannot be written, MissingExtraError.
    """
    path = Path(path)
    write = _form_of(path).write
    write_whole(path, lambda file: write(file, vectors), force)


def check_target(path: str | Path, force: bool = False) -> None:
    """Raise what `write_vectors` would, as far as it is known before there are vectors."""
    path = Path(path)
    if _form_of(path) is FORMS[".parquet"]:
        parquet.import_parquet()
    check_place(path, force)


def read_vectors(path: str | Path) -> Vectors:
    """Read a file that `write_vectors` made. Raises OptionError for another name, ExportError for what is
    damaged, hostile, or of another format or version, MissingExtraError."""
    path = Path(path)
    form = _form_of(path)
    with opened(path, form.most) as file:
        return form.read(file)


def is_vectors_name(path: Path) -> bool:
    """Whether a file of this name may be one of class vectors."""
    return path.suffix.lower() in FORMS


def _form_of(path: Path) -> Form:
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise OptionError(f"{path}: a file of class vectors is called NAME{', NAME'.join(SUFFIXES)}")
    return form
