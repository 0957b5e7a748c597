"""The tables of docs/results/search.md, from the committed rows alone.

python -m benchmarks.search.page    # prints them
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path("benchmarks/results/search.json")
Row = Mapping[str, Any]
CHOSEN = "taken"


def page(result: Row) -> str:
    """All tables, each under its heading."""
    rows: Sequence[Row] = result["rows"]
    parts = [
        ("What is not looked for", _words(rows)),
        ("A class of a prompt", _classes(rows)),
        ("Images", _images(rows)),
        ("Caltech101's photos", _caltech(rows)),
        ("Promises", _promises(rows)),
        ("What it costs", _costs(rows)),
    ]
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in parts if text) + "\n"


def _of(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def _each(rows: Iterable[Row], key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


def _words(rows: Sequence[Row]) -> str:
    """Average precision, and in brackets the share of the first 20 that were not to come."""
    parts = []
    own = _of(rows, table="words")
    for part in ("test", "val"):
        for task in _each(_of(own, part=part), "task"):
            some = _of(own, part=part, task=task)
            beds = _each(some, "bed")
            lines = [[form, *_cells(some, form, beds, _with_unwanted)] for form in _each(some, "form")]
            title = f"{part} images: {task}" if part == "test" else f"validation images: {task}"
            parts.append(f"### {title[0].upper()}{title[1:]}\n\n{_table(('score', *beds), lines)}")
    return "\n\n".join(parts)


def _with_unwanted(rows: Sequence[Row]) -> str:
    [row] = rows
    return f"{row['average_precision']:.1f} ({row['unwanted_in_20']:.0f})"


def _cells(
    rows: Sequence[Row], form: str, beds: Sequence[str], cell: Callable[[Sequence[Row]], str]
) -> list[str]:
    return [cell(found) if (found := _of(rows, form=form, bed=bed)) else "" for bed in beds]


def _classes(rows: Sequence[Row]) -> str:
    parts = []
    own = _of(rows, table="classes", part="test")
    for folder in _each(own, "folder"):
        some = _of(own, folder=folder)
        columns = list(dict.fromkeys((row["bed"], row["method"]) for row in some))
        lines = []
        for form in _each(some, "form"):
            found = [_of(some, form=form, bed=bed, method=method) for bed, method in columns]
            lines.append([form, *(f"{one[0]['average_precision']:.1f}" if one else "" for one in found)])
        head = ("score", *(f"{bed}, {method}" for bed, method in columns))
        parts.append(f"### In a folder of {folder}\n\n{_table(head, lines)}")
    return "\n\n".join(parts)


def _images(rows: Sequence[Row]) -> str:
    own = _of(rows, table="images")
    beds = _each(own, "bed")
    lines = []
    for count in _each(own, "images"):
        some = _of(own, images=count)
        for form in _each(some, "form"):
            cells = _cells(some, form, beds, lambda found: f"{found[0]['average_precision']:.1f}")
            lines.append([f"{count}", form, *cells])
    return _table(("images", "score", *beds), lines, left=2) if lines else ""


def _caltech(rows: Sequence[Row]) -> str:
    own = _of(rows, table="caltech101")
    lines = []
    for form in _each(own, "form"):
        found = [row["average_precision"] for row in _of(own, form=form)]
        spread = f" ± {np.std(found, ddof=1):.1f}" if len(found) > 1 else ""
        lines.append([form, f"{np.mean(found):.1f}{spread}"])
    return _table(("query", "average precision"), lines) if lines else ""


def _promises(rows: Sequence[Row]) -> str:
    own = _of(rows, table="promises")
    lines = []
    for row in own:
        told = [f"{row['precision']:.2f}", f"{row['precision_of_all']:.2f}"] if row["told"] else ["", ""]
        lines.append(
            [
                row["bed"],
                f"{row['classes']}",
                row["folder"],
                f"{row['images']:,}",
                f"{row['strangers']:,}",
                f"{row['asked']:.2f}",
                f"{row['refused']}",
                f"{row['told']}",
                *told,
                f"{row['recall']:.2f}",
            ]
        )
    head = ("bed", "classes", "folder", "images", "strangers", "asked", "refused", "told", "right", "of all")
    return _table((*head, "recall"), lines) if lines else ""


def _costs(rows: Sequence[Row]) -> str:
    parts = []
    for row in _of(rows, table="folder"):
        facts = [
            ("images", f"{row['images']:,}"),
            ("seconds to index them", f"{row['index_s']:.1f}"),
            ("seconds to look for changes", f"{row['follow_s']:.2f}"),
            ("seconds of the first question by words", f"{row['first_s']:.2f}"),
            ("of another one by words", f"{row['words_s']:.3f}"),
            ("of one by an image", f"{row['image_s']:.3f}"),
            ("MiB of the index", f"{row['index_bytes'] / 2**20:.1f}"),
        ]
        parts.append(
            _table(("Caltech101's photos, the test bed's model", ""), [list(fact) for fact in facts])
        )
    lines = [
        [
            f"{row['images']:,}",
            row["dtype"],
            f"{row['classes']}",
            f"{row['first_s']:.2f}",
            f"{row['median_s']:.2f}",
            f"{row['file_bytes'] / 2**20:,.0f}",
            f"{row['peak_bytes'] / 2**20:,.0f}",
        ]
        for row in _of(rows, table="million")
        if "median_s" in row
    ]
    head = (
        "vectors",
        "held as",
        "vectors asked with",
        "first s",
        "then s",
        "MiB on the disk",
        "MiB more in memory",
    )
    if lines:
        parts.append(_table(head, lines))
    return "\n\n".join(parts)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], left: int = 1) -> str:
    marks = ["---" if place < left else "---:" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, marks, *lines))


if __name__ == "__main__":
    print(page(json.loads(RESULTS.read_text(encoding="utf-8"))), end="")
