"""Read a data set of Hugging Face `datasets`: its images are unpacked once into the user's cache folder."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.data.files import is_file, is_folder
from promptlet.data.hugging_face.columns import Columns, choose_columns, choose_parts
from promptlet.data.hugging_face.hub import open_hub
from promptlet.data.hugging_face.images import store_image
from promptlet.data.hugging_face.open import (
    Opened,
    OpenSplit,
    import_datasets,
    local_files,
    open_local,
    quiet,
    readable,
)
from promptlet.data.hugging_face.source import HubSource, parse_source
from promptlet.data.hugging_face.unpacked import Content, unpack_once
from promptlet.data.items import ALL_TRAIN, SPLIT_NAMES, Split, check_class_names
from promptlet.errors import DataError, why

PER_FOLDER = 10_000
"""Images in one folder of the cache."""

Labelled = list[tuple[Path, Any]]
"""(file, label): a number, or a name."""


def read_hugging_face(source: str | Path) -> Split:
    """The data set of a source as `promptlet.data.hugging_face.source` describes it.

    Train, val and test are its splits of these names (validation is val). A split in which no row has a label
    (None, or -1) is left out; where that leaves no test, validation serves as test. `Split.rule` tells what
    was done. Encoded images are written as they are stored, pixels as PNG; files named by path are used where
    they lie. Class names are those of its ClassLabel, or its labels, sorted.
    Raises `DataError`, `OptionError`, and `MissingExtraError` when `datasets` is needed and not installed.
    """
    parsed = parse_source(source)
    if parsed.is_local:
        digest = _digest(parsed, local_files(parsed))
        return unpack_once(digest, lambda folder: _unpack(parsed, open_local(parsed), folder))
    opened = open_hub(parsed)
    return unpack_once(_digest(parsed, opened.files), lambda folder: _unpack(parsed, opened, folder))


def _digest(source: HubSource, files: tuple[Path, ...]) -> str:
    """32 hexadecimal digits of what the content depends on: the source, and its files' sizes and times."""
    digest = hashlib.blake2b(source.text.encode("utf-8", "surrogatepass"), digest_size=16)
    for path in files:
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({why(error)}); check it, or its link") from error
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: is a device, a pipe or a socket among the files; remove it")
        about = (str(path.resolve()), status.st_size, status.st_mtime_ns)
        digest.update(repr(about).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _unpack(source: HubSource, opened: Opened, folder: Path) -> Content:
    """Write the images below ``folder``; what there is."""
    splits = choose_parts(opened.splits, source.text)
    first = opened.splits[next(iter(splits.values()))]
    columns = choose_columns(first.features, source.image, source.label, source.text)
    if columns.class_names is not None:
        check_class_names(columns.class_names, source.text)
    reader = _Reader(source, columns)
    parts: dict[str, Labelled] = {}
    left_out: dict[str, str] = {}
    with quiet(import_datasets()):
        for part, split in splits.items():
            rows, why_none = reader.unpack(split, opened.splits[split], folder / "images" / part)
            if rows:
                parts[part] = rows
            else:
                left_out[split] = why_none
    if not parts:
        why = ", ".join(f"{split} ({text})" for split, text in left_out.items())
        raise DataError(f"{source.text}: no image has a label: {why}; choose another column or data set")
    if "test" not in parts and "val" in parts:
        parts["test"], splits = parts.pop("val"), {**splits, "test": splits["val"]}
    names, labels = _classes(columns, parts, source)
    return Content(
        source=source.text,
        name=source.name,
        class_names=names,
        rule=_rule(source, opened, {part: splits[part] for part in parts}, left_out),
        parts={
            part: [
                (_inside(path, folder), labels[label], path.stat().st_size)
                for path, label in parts.get(part, ())
            ]
            for part in SPLIT_NAMES
        },
    )


@dataclass(frozen=True)
class _Reader:
    """Reads these columns of the splits of a source."""

    source: HubSource
    columns: Columns

    def unpack(self, name: str, split: OpenSplit, folder: Path) -> tuple[Labelled, str]:
        """The labelled images of a split, and why there are none."""
        where = f"{self.source.text}, {name}"
        place = Path(self.source.place) if self.source.is_local else None
        beside = place if place is not None and is_folder(place) else None
        if self.columns.label not in split.features:
            return [], f"no column {self.columns.label}"
        rows: Labelled = []
        bare = 0
        for number, (image, label) in enumerate(self._rows(name, split)):
            has_label = label is not None and (self.columns.class_names is None or label >= 0)
            bare += not has_label
            if bare and (rows or has_label):
                raise DataError(
                    f"{where}, row {number}: some rows have a label, and others none (None, or -1); leave "
                    "these out, and save the data set again"
                )
            if has_label:
                target = folder / f"{number // PER_FOLDER:03d}" / f"{number:07d}"
                rows.append((store_image(image, target, beside, f"{where}, row {number}"), label))
        return rows, f"none of its {bare:,} rows has a label" if bare else "empty"

    def _rows(self, name: str, split: OpenSplit) -> Iterator[tuple[Any, Any]]:
        """(image, label) of every row."""
        columns = self.columns
        own = choose_columns(split.features, columns.image, columns.label, f"{self.source.text}, {name}")
        if own != columns:
            raise DataError(
                f"{self.source.text}: the split {name} has other classes or columns than the first one; give "
                "all splits the same features, and save the data set again"
            )
        with readable(self.source):
            tables = split.tables([columns.image, columns.label])
        while True:
            with readable(self.source):
                table = next(tables, None)
                if table is None:
                    return
                images, labels = (_values(table.column(name)) for name in (columns.image, columns.label))
            yield from zip(images, labels, strict=True)


def _values(column: Any) -> list[Any]:
    """Of an Arrow column; pixels, which are of an extension's type, as what they are stored as.

    Raises what Arrow raises for a damaged one, whose offsets would lead out of memory.
    """
    column.validate(full=True)
    return [value for chunk in column.chunks for value in getattr(chunk, "storage", chunk).to_pylist()]


def _classes(
    columns: Columns, parts: Mapping[str, Labelled], source: HubSource
) -> tuple[tuple[str, ...], Mapping[Any, int]]:
    """Class names, cleaned, and the label of whatever a row has as its label."""
    found = {label for rows in parts.values() for _, label in rows}
    raw = sorted(found) if columns.class_names is None else columns.class_names
    names = check_class_names(raw, source.text)
    if columns.class_names is None:
        return names, {name: label for label, name in enumerate(raw)}
    if max(found) >= len(names):
        raise DataError(
            f"{source.text}: has the label {max(found)}, but names for 0 to {len(names) - 1} only"
        )
    return names, {label: label for label in found}


def _rule(source: HubSource, opened: Opened, used: Mapping[str, str], left_out: Mapping[str, str]) -> str:
    """What fixed the parts, in words."""
    if source.is_local and is_file(Path(source.place)):
        return ALL_TRAIN
    said = [split if split == part else f"{split} as {part}" for part, split in used.items()]
    unused = [split for split in opened.splits if split not in used.values() and split not in left_out]
    facts = [f"its splits {', '.join(said)}"]
    facts += [f"{split} is left out: {why}" for split, why in left_out.items()]
    facts += [f"not used: {', '.join(unused)}"] if unused else []
    facts += [f"commit {opened.commit}"] if opened.commit else []
    return "; ".join(facts)


def _inside(path: Path, folder: Path) -> str:
    """Relative to the folder where it lies in it."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
