"""A confusion matrix as plain data: counts, and how strongly each is tinted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from promptlet.errors import OptionError

SHADES = 5
LONGEST = 22
"""Characters of a name over a column."""


@dataclass(frozen=True)
class Matrix:
    """Rows of counts: what was ``said`` (columns) of each class that is ``true`` (rows).

    Where a row and a column have one name, the count is of what is right. label: for screen readers.
    Raises OptionError for counts that do not fit the names, and without a label.
    """

    label: str
    true: Sequence[str]
    said: Sequence[str]
    counts: Sequence[Sequence[int]]

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise OptionError("a matrix needs a label; say what it is of")
        sizes = [len(row) for row in self.counts]
        if sizes != [len(self.said)] * len(self.true):
            raise OptionError(
                f"matrix {self.label!r}: rows of {sizes} counts for {len(self.true)} x {len(self.said)} "
                "names; give one for each"
            )

    @property
    def columns(self) -> list[str]:
        """What stands over each column: the name, cut where it is long."""
        return [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in self.said]

    @property
    def lines(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Each row's name, and its cells: what they show, nothing for 0, and their kind, as ``hit s3``."""
        return [
            (
                name,
                [
                    self._cell(name, other, count, sum(row))
                    for other, count in zip(self.said, row, strict=True)
                ],
            )
            for name, row in zip(self.true, self.counts, strict=True)
        ]

    @staticmethod
    def _cell(true: str, said: str, count: int, total: int) -> tuple[str, str]:
        kind = "hit" if true == said else "miss"
        return (f"{count:,}", f"{kind} s{ceil(SHADES * count / total)}") if count else ("", "")
