"""A table of images: one line per image, with columns for path, label and perhaps split."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from promptlet.data.files import (
    check_length,
    is_file,
    is_folder,
    is_there,
    list_folders,
    open_regular,
    portable,
)
from promptlet.data.images.formats import has_heic_name, has_image_name, image_suffixes
from promptlet.data.items import ALL_TRAIN, SPLIT_NAMES, Split, build_split, check_text
from promptlet.data.readers.nesting import LOOKED_AT
from promptlet.data.words import (
    LABEL,
    PARTS,
    PATH,
    SPLIT,
    Columns,
    find_columns,
    part_of,
    role_of,
    settle_columns,
)
from promptlet.errors import DataError, did_you_mean, why

EXPECTED = "expected the columns path,label or path,label,split"
SHOWN = 5

Row = tuple[str, str, str | None]
"""Path, label, split; the last is None without such a column."""


def read_table(path: str | Path, check_files: bool = True) -> Split:
    """Read a .csv or .tsv file in UTF-8; labels are class names, sorted; without a split column all is train.

    A first line that names the columns is optional; with it, columns may come in any order and others are
    passed over. They are called path, label and split, or by another word of `words.find_columns`. Relative
    paths start at the table's folder; they may be written with Windows' backslashes.
    check_files: False keeps images that are not there, for `without_unreadable` to leave out.
    Raises `DataError` with the line number.
    """
    path = Path(path)
    parts: dict[str, list[tuple[Path, str]]] = {name: [] for name in SPLIT_NAMES}
    lines_by_path: dict[Path, int] = {}
    missing: list[tuple[int, str]] = []
    has_parts = False
    for line, (image, label, part) in _rows(path):
        where = f"{path}, line {line}"
        check_text(image, where, "the path")
        file = portable(path.parent, image)
        if check_files and not is_file(file):
            missing.append((line, image))
        first = lines_by_path.setdefault(file, line)
        if first != line:
            raise DataError(f"{where}: {image} was already in line {first}; keep one of the two")
        check_text(label, where, "the label")
        has_parts = has_parts or part is not None
        parts[_check_part(part, where)].append((file, label))
    if missing:
        raise DataError(_not_there(path, missing))
    if not lines_by_path:
        raise DataError(f"{path}: the table has no images; {EXPECTED}, one line per image")
    return build_split(path.stem, parts, str(path), "its column split" if has_parts else ALL_TRAIN)


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """(line number, its values) of every line that is not blank."""
    columns: Columns | None = None
    names: list[str] = []
    for line, row in _raw_rows(path):
        where = f"{path}, line {line}"
        if columns is None and _is_header(row):
            columns, names = find_columns(row, where), row
            continue
        if columns is None:
            if len(row) not in (2, 3):
                raise DataError(
                    f"{where}: has {len(row)} columns; {EXPECTED}, or a first line that names the columns"
                )
            columns = Columns(0, 1, 2 if len(row) == 3 else None)
        elif names:
            columns, names = settle_columns(columns, names, row, where), []
        yield line, _pick(row, columns, where)


def _is_header(row: list[str]) -> bool:
    """Whether a first line names columns: a word for one of them, and no name of an image file."""
    is_image = any(has_image_name(cell) or has_heic_name(cell) for cell in row)
    return not is_image and any(role_of(cell) in (PATH, LABEL) for cell in row)


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


def _pick(row: list[str], columns: Columns, where: str) -> Row:
    width = max(columns.path, columns.label, columns.split or 0) + 1
    if len(row) < width:
        raise DataError(
            f"{where}: has {len(row)} columns, {width} are needed; quote values that hold the delimiter"
        )
    values = {PATH: row[columns.path], LABEL: row[columns.label]}
    if columns.split is not None:
        values[SPLIT] = row[columns.split]
    for name, value in values.items():
        if not value:
            raise DataError(f"{where}: {name} is empty; fill it in or remove the line")
    return values[PATH], values[LABEL], values.get(SPLIT)


def _check_part(word: str | None, where: str) -> str:
    part = "train" if word is None else part_of(word)
    if part is not None:
        return part
    every = [name for names in PARTS.values() for name in names]
    raise DataError(
        f"{where}: split {word!r} is not known; allowed: "
        f"{', '.join(SPLIT_NAMES)}.{did_you_mean(str(word).lower(), every)}"
    )


def _not_there(path: Path, missing: list[tuple[int, str]]) -> str:
    """What is wrong with the first of the lines whose image is not there, and which others are like it."""
    line, image = missing[0]
    rest = [str(line) for line, _ in missing[1:]]
    more = ", ..." if len(rest) > SHOWN else ""
    also = f" ({len(rest):,} more like it: line {', '.join(rest[:SHOWN])}{more})" if rest else ""
    return f"{path}, line {line}: {_why_not(path.parent, image)}{also}"


def _why_not(folder: Path, image: str) -> str:
    file = portable(folder, image)
    if is_there(file):
        what = "a folder" if is_folder(file) else "no regular file, but a device, a pipe or a socket"
        return f"{file} is {what}; give the path of an image file"
    hint = f"paths start at the table's folder, {folder}"
    if "\\" in image:
        hint = f"its backslashes were read as Windows' slashes, and {hint}"
    if PureWindowsPath(image).drive:
        hint = f"this is a path on another (Windows) machine; make it relative: {hint}"
    meant = _meant(folder, image)
    return f"there is no image file {file}; {hint}" + (f". Did you mean {meant}?" if meant else "")


def _meant(folder: Path, image: str) -> str:
    """What the image is called that may be meant: in a folder beside the table, or with its suffix."""
    name = image.replace("\\", "/")
    suffixes = ("", *sorted(image_suffixes())) if not Path(name).suffix else ("",)
    try:
        for place in (folder, *list_folders(folder)[:LOOKED_AT]):
            for short in dict.fromkeys((name, Path(name).name)):
                for suffix in suffixes:
                    if is_file(place / f"{short}{suffix}"):
                        return (place / f"{short}{suffix}").relative_to(folder).as_posix()
    except (DataError, ValueError):  # one may not look; an absolute path
        return ""
    return ""
