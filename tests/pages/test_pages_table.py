"""A table knows which of its columns are numbers, and refuses what does not fit."""

from __future__ import annotations

import pytest

from promptlet.errors import OptionError
from promptlet.pages import Table

LONG = "promptlet 0.2.0 python 3.11 torch 2.13"


def kinds_of(*cells: str, wraps: bool = False) -> str:
    return Table("x", ["a"], [[cell] for cell in cells], wraps=wraps).columns[0]


@pytest.mark.parametrize(
    "cells",
    [
        ("1",),
        ("70.00 ± 0.50", "-"),
        ("+1.20 [-0.40, +2.80]", "+0.10 -"),
        ("1,2,3", "missing: seed 1"),
        ("5.1/6.2",),
    ],
)
def test_numbers_stand_to_the_right(cells: tuple[str, ...]) -> None:
    assert kinds_of(*cells) == ""


@pytest.mark.parametrize(
    "cells", [("coop",), ("",), ("-",), ("3d", "coop", "rlp"), ("2026-01-02T03:04",), ()]
)
def test_words_stand_to_the_left(cells: tuple[str, ...]) -> None:
    assert kinds_of(*cells) == "text"


def test_only_long_cells_are_broken_and_only_on_request() -> None:
    assert kinds_of(LONG) == kinds_of("short", wraps=True) == "text"
    assert kinds_of(LONG, "short", wraps=True) == "text long"


def test_a_short_first_column_stays_in_view() -> None:
    assert Table("x", ["data set", "H"], [["mini", LONG]]).is_pinned
    assert not Table("x", ["run", "H"], [[LONG, "1"]]).is_pinned
    assert not Table("x", ["data set"], [["mini"]], wraps=True).is_pinned


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OptionError, match="a row has 1 cells, its head 2"):
        Table("x", ["a", "b"], [["1"]])
    with pytest.raises(OptionError, match="needs a label"):
        Table(" ", ["a"], [])
    for kinds in (["odd"], ["average", "average"]):
        with pytest.raises(OptionError, match="for 1 rows; allowed: one of '', 'average', 'missing'"):
            Table("x", ["a"], [["1"]], kinds)
