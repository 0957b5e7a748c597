"""What may reach a terminal, a table or a page, held against Unicode's own categories."""

from __future__ import annotations

import csv
import io
import sys
import unicodedata

import pytest

from promptlet.characters import cell, markdown_row, visible, visible_lines

EVERY = [chr(code) for code in range(sys.maxunicode + 1)]
HIDES = {"Cc", "Cs", "Zl", "Zp"}
TURNS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def test_controls_halves_and_directions_are_escaped_and_letters_stay() -> None:
    for sign in EVERY:
        hides = unicodedata.category(sign) in HIDES or unicodedata.bidirectional(sign) in TURNS
        if hides or sign in "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\u061c\ufeff\ufff9\U000e0041":
            assert visible(sign).startswith("\\") and visible(sign).isprintable(), hex(ord(sign))
        if (
            unicodedata.category(sign)[0] in "LNPSM"
            and sign not in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
        ):
            hidden = "\u180b" <= sign <= "\u180e" or "\U000e0000" <= sign <= "\U000e0fff" or sign == "\u180f"
            assert visible(sign) == sign or hidden, hex(ord(sign))


def test_an_escape_is_what_python_reads_as_the_same() -> None:
    text = "a\x1b[2J\n\t\r\x07\x85\u202e\u2028\udcff\U000e0041é猫"
    assert visible(text).encode("latin-1", "backslashreplace").decode("unicode_escape") == text
    assert visible(visible(text)) == visible(text) and "\n" not in visible(text)
    assert visible_lines("a\n\tb\r\x1b") == "a\n\tb\\r\\x1b"


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-A1", "@sum", " =1", "\t=1", "\r=1", "\uff1d1", "-1-1", "=-1"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    told = str(cell(text))
    assert told[0] in "'\\" and told.lstrip("'") == visible(text)


@pytest.mark.parametrize("value", ["-1.5", "+2", "1e-5", "-", "cat", -3, 2.5, None])
def test_numbers_and_words_stay(value: object) -> None:
    assert cell(value) == ("'-" if value == "-" else value)


def test_a_row_stays_a_row() -> None:
    text = io.StringIO()
    csv.writer(text).writerow([cell('a,"b"\n=c'), cell("x\r\ny")])
    assert text.getvalue().count("\n") == 1
    assert markdown_row(["a|b\nc", "\x1b[1m"]) == "| a/b c | \\x1b[1m |"
