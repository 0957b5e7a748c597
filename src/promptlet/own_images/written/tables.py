"""Answers as rows of a table, and as lines of CSV and of JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlet.characters import cell

PATH, NAME, PROBABILITY = "path", "class_name", "probability"
Facts = Mapping[str, Any]
"""Of an answer, as `Answer.facts` gives them."""


@dataclass(frozen=True)
class Shape:
    """What a row holds: the ``top`` likeliest classes, or with ``wide`` a column for each of the names."""

    names: tuple[str, ...]
    top: int = 1
    wide: bool = False

    @property
    def columns(self) -> list[str]:
        """path, class_name, probability; then the next likeliest, or one of each class."""
        fixed = [PATH, NAME, PROBABILITY]
        if self.wide:  # a class may be called "path"; no name of a class ends with "_"
            return [*fixed, *(f"{name}_" if name in fixed else name for name in self.names)]
        return fixed + [f"{what}_{i}" for i in range(2, self.held + 1) for what in (NAME, PROBABILITY)]

    @property
    def held(self) -> int:
        """How many of the likeliest a row holds."""
        return min(self.top, len(self.names))

    @property
    def in_full(self) -> tuple[str, ...] | None:
        """The names whose probabilities `Answer.facts` gives."""
        return self.names if self.wide else None

    def row(self, facts: Facts) -> list[Any]:
        """An answer in these columns; class_name is None where it is none of the classes, and probability
        always that of the likeliest."""
        if self.wide:
            told = facts["probabilities"]
            return [facts[PATH], facts[NAME], max(told.values()), *(told[name] for name in self.names)]
        (first, *others) = facts["top"][: self.held]
        further = (value for one in others for value in (one[NAME], one[PROBABILITY]))
        return [facts[PATH], facts[NAME], first[PROBABILITY], *further]


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Lines of CSV that no spreadsheet takes for formulas; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return f"{value:.6f}" if isinstance(value, float) else cell(value)


@dataclass(frozen=True)
class Csv:
    """A table for spreadsheets and pandas."""

    shape: Shape

    def head(self) -> str:
        return csv_lines([self.shape.columns])

    def lines(self, found: Iterable[Facts]) -> str:
        return csv_lines(map(self.shape.row, found))

    def key(self, path: str) -> str:
        """How a path stands in the file."""
        return str(cell(path))

    def keys(self, lines: Iterable[str]) -> Iterator[str]:
        """The paths of a file."""
        rows = csv.reader(lines)
        next(rows, None)
        return (row[0] for row in rows)


@dataclass(frozen=True)
class JsonLines:
    """One object a line."""

    shape: Shape

    def head(self) -> str:
        return ""

    def lines(self, found: Iterable[Facts]) -> str:
        return "".join(f"{json.dumps(facts, allow_nan=False)}\n" for facts in found)

    def key(self, path: str) -> str:
        return path

    def keys(self, lines: Iterable[str]) -> Iterator[str]:
        return (str(json.loads(line)[PATH]) for line in lines)
