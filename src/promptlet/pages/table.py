"""A table as plain data: words in, what a page has to know of its columns out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from promptlet.errors import OptionError

AVERAGE, MISSING = "average", "missing"
KINDS = ("", AVERAGE, MISSING)
"""Of a row: an ordinary one, one that sums up others, one of what is not there."""
PINNED, LONG = 24, 32
"""Characters: the longest cell of a first column that stays in view while the others scroll, and the longest
cell of a column that is not broken into lines."""

_NOTHING = ("", "-")


@dataclass(frozen=True)
class Table:
    """Rows of words under a head.

    label: what the table is of; screen readers say it of the region in which a wide table scrolls.
    kinds: one of `KINDS` for each row, or empty where all are ordinary. wraps: long cells are broken into
    lines.
    Raises OptionError for a table without a label, for rows of another length than the head, and for kinds
    that do not fit the rows.
    """

    label: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    kinds: Sequence[str] = ()
    wraps: bool = False

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise OptionError("a table needs a label; say what it is of")
        for row in self.rows:
            if len(row) != len(self.head):
                raise OptionError(
                    f"table {self.label!r}: a row has {len(row)} cells, its head {len(self.head)}; "
                    "give as many"
                )
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or len(self.kinds) not in (0, len(self.rows)):
            raise OptionError(
                f"table {self.label!r}: kinds={list(self.kinds)!r} for {len(self.rows)} rows; "
                f"allowed: one of {', '.join(map(repr, KINDS))} for each, or none at all"
            )

    @property
    def lines(self) -> list[tuple[Sequence[str], str]]:
        """Each row with its kind."""
        return list(zip_longest(self.rows, self.kinds, fillvalue="")) if self.rows else []

    @property
    def columns(self) -> tuple[str, ...]:
        """What each column is: ``text``, ``text long`` of long cells that are broken, nothing of numbers."""
        return tuple(self._kind_of([row[i] for row in self.rows]) for i in range(len(self.head)))

    @property
    def is_pinned(self) -> bool:
        """Whether the first column stays in view: it is short, and so are the rows."""
        return not self.wraps and all(len(row[0]) <= PINNED for row in (self.head, *self.rows))

    def _kind_of(self, cells: Sequence[str]) -> str:
        if _is_numeric(cells):
            return ""
        return "text long" if self.wraps and any(len(cell) > LONG for cell in cells) else "text"


def _is_numeric(cells: Sequence[str]) -> bool:
    told = [cell for cell in cells if cell not in _NOTHING]
    return 2 * sum(map(_is_number, told)) >= len(told) > 0


def _is_number(cell: str) -> bool:
    """``70.00 ± 0.50``, ``+1.20 [-0.40, +2.80]``, ``1,2,3``, ``5.1/6.2``: digits and no letter."""
    return any(map(str.isdigit, cell)) and not any(map(str.isalpha, cell))
