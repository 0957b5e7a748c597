"""The table of what a check leaves standing: path,label,split, as `promptlet fit` reads it."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

from promptlet.data.items import check_text
from promptlet.errors import DataError, OptionError
from promptlet.own_images.checking.result import (
    COPIES,
    DOUBTFUL,
    LEAK,
    TWO_CLASSES,
    UNREADABLE,
    Finding,
    Findings,
    Photo,
)

LAST_FIRST = ("test", "val", "train")
"""Of a photo in two parts the copy that stays: test images stay what they are."""


@dataclass(frozen=True)
class Clean:
    """The table's text; how many images are in it, and how many were left out, by kind of finding.

    unwritable: images that no table can name. emptied: classes of which no image is left.
    """

    text: str
    images: int
    left_out: dict[str, int]
    unwritable: tuple[str, ...]
    emptied: tuple[str, ...]


def clean_table(findings: Findings, folder: Path, drop_doubtful: bool = False) -> Clean:
    """Without images that cannot be read, copies beyond the first, and photos in two classes.

    folder: where the table will lie; its paths start there. drop_doubtful: also without images whose label
    deserves a look. Raises OptionError for features, which are no files.
    """
    dropped: dict[int, str] = {}
    for finding in findings.found:
        for photo in _left_out(finding, drop_doubtful):
            dropped.setdefault(id(photo), finding.kind)
    kept = [photo for photo in findings.photos if id(photo) not in dropped]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "split"])
    unwritable: list[str] = []
    written: list[str] = []
    for photo in kept:
        if not isinstance(photo.source, Path):
            raise OptionError(
                "--write-clean lists image files, and features are none; give a folder or table"
            )
        path = _path(photo.source, folder)
        if path is None:
            unwritable.append(photo.name)
            continue
        writer.writerow([path, photo.class_name, photo.part])
        written.append(photo.class_name)
    counts = {kind: sum(1 for k in dropped.values() if k == kind) for kind in dict.fromkeys(dropped.values())}
    emptied = {photo.class_name for photo in findings.photos} - set(written)
    return Clean(text.getvalue(), len(written), counts, tuple(unwritable), tuple(sorted(emptied)))


def _left_out(finding: Finding, drop_doubtful: bool) -> tuple[Photo, ...]:
    if finding.kind in (UNREADABLE, TWO_CLASSES) or (finding.kind == DOUBTFUL and drop_doubtful):
        return finding.photos
    if finding.kind in (COPIES, LEAK):
        kept = min(finding.photos, key=lambda photo: LAST_FIRST.index(photo.part))
        return tuple(photo for photo in finding.photos if photo is not kept)
    return ()


def _path(path: Path, folder: Path) -> str | None:
    """As a table in ``folder`` names it; None for a name that no table can hold: it is trimmed when it is
    read, and is text in UTF-8."""
    try:
        text = os.path.relpath(path, folder)
    except ValueError:  # on another drive
        text = str(path.absolute())
    try:
        check_text(text, "", "the path")
    except DataError:
        return None
    if text != text.lstrip():
        text = os.path.join(os.curdir, text)  # noqa: PTH118 (a Path drops the dot)
    return text if text == text.strip() and "\0" not in text else None
