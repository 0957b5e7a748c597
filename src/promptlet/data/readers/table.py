"""A table of images: one line per image, with the columns path, label and perhaps split."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from promptlet.data.files import check_length, is_file, is_folder, is_there, open_regular, portable
from promptlet.data.items import ALL_TRAIN, SPLIT_NAMES, Split, build_split, check_text
from promptlet.errors import DataError, did_you_mean, why

COLUMNS = ("path", "label", "split")
EXPECTED = "expected the columns path,label or path,label,split"


def read_table(path: str | Path) -> Split:
    """Read a .csv or .tsv file in UTF-8; labels are class names, sorted; without a split column all is train.

    A first line that names the columns is optional; with it, columns may come in any order and others are
    passed over. Relative paths start at the table's folder; they may be written with Windows' backslashes.
    Raises `DataError` with the line number.
    """
    path = Path(path)
    parts: dict[str, list[tuple[Path, str]]] = {name: [] for name in SPLIT_NAMES}
    lines_by_path: dict[Path, int] = {}
    has_parts = False
    for line, (image, label, part) in _rows(path):
        where = f"{path}, line {line}"
        file = _image_path(path.parent, image, where)
        first = lines_by_path.setdefault(file, line)
        if first != line:
            raise DataError(f"{where}: {image} was already in line {first}; keep one of the two")
        check_text(label, where, "the label")
        has_parts = has_parts or part is not None
        parts[_check_split("train" if part is None else part, where)].append((file, label))
    if not lines_by_path:
        raise DataError(f"{path}: the table has no images; {EXPECTED}, one line per image")
    return build_split(path.stem, parts, str(path), "its column split" if has_parts else ALL_TRAIN)


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, str, str | None]]]:
    """(line number, (path, label, split)) of every line that is not blank; split is None without a column."""
    columns: dict[str, int] | None = None
    for line, row in _raw_rows(path):
        where = f"{path}, line {line}"
        if columns is None:
            columns = _header(row, where)
            if columns:
                continue
            columns = dict(zip(COLUMNS, range(len(row)), strict=False))
            width = len(row)
            if width not in (2, 3):
                raise DataError(
                    f"{where}: has {width} columns; {EXPECTED}, or a first line that names the columns"
                )
        yield line, _pick(row, columns, where)


def _raw_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with open_regular(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
            check_length(raw)
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=_delimiter(path, first), strict=True)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: not a well-formed table ({error}); check its quotes"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not in UTF-8 ({error.reason}); save it as 'CSV UTF-8'") from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({why(error)}); give an existing .csv or .tsv file"
        ) from error


def _delimiter(path: Path, first_line: str) -> str:
    """Tab for .tsv, else whichever of comma, semicolon and tab the first line has most of."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max(",;\t", key=first_line.count)


def _header(row: list[str], where: str) -> dict[str, int] | None:
    """Positions by column name when the row names columns, else None."""
    names = [cell.lower() for cell in row]
    if not {"path", "label"} & set(names):
        return None
    for name in COLUMNS:
        if names.count(name) > 1:
            raise DataError(f"{where}: the column {name!r} is there twice; rename one")
    for name in ("path", "label"):
        if name not in names:
            raise DataError(f"{where}: there is no column {name!r} among {', '.join(row)}; {EXPECTED}")
    return {name: names.index(name) for name in COLUMNS if name in names}


def _pick(row: list[str], columns: dict[str, int], where: str) -> tuple[str, str, str | None]:
    if len(row) <= max(columns.values()):
        raise DataError(
            f"{where}: has {len(row)} columns, {max(columns.values()) + 1} are needed; quote values "
            "that hold the delimiter"
        )
    values = {name: row[position] for name, position in columns.items()}
    for name, value in values.items():
        if not value:
            raise DataError(f"{where}: {name} is empty; fill it in or remove the line")
    return values["path"], values["label"], values.get("split")


def _image_path(folder: Path, image: str, where: str) -> Path:
    check_text(image, where, "the path")
    file = portable(folder, image)
    if is_file(file):
        return file
    if is_there(file):
        what = "a folder" if is_folder(file) else "no regular file, but a device, a pipe or a socket"
        raise DataError(f"{where}: {file} is {what}; give the path of an image file")
    hint = f"paths start at the table's folder, {folder}"
    if file != folder / image:
        hint = f"its backslashes were read as Windows' slashes, and {hint}"
    if PureWindowsPath(image).drive:
        hint = f"this is a path on another (Windows) machine; make it relative: {hint}"
    raise DataError(f"{where}: there is no image file {file}; {hint}")


def _check_split(part: str, where: str) -> str:
    if part.lower() in SPLIT_NAMES:
        return part.lower()
    raise DataError(
        f"{where}: split {part!r} is not known; allowed: "
        f"{', '.join(SPLIT_NAMES)}.{did_you_mean(part, SPLIT_NAMES)}"
    )
