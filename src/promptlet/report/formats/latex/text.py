"""Words and numbers as LaTeX prints them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from string import ascii_lowercase
from typing import NamedTuple

from promptlet.characters import visible

NONE = "--"
WIDEST = 13
"""Letters in a line of a column's head."""
SPECIAL = {sign: f"\\{sign}" for sign in "_&%#${}"}
SPECIAL |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
SPECIAL |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}  # else other signs in old fonts
SPECIAL |= {sign: f"{{{sign}}}" for sign in "[]*"}  # else, behind the end of a line, its options


class Cell(NamedTuple):
    """mean: as it is shown, or `NONE`. behind: deviation and mark, in LaTeX."""

    mean: str = NONE
    behind: str = ""


def escaped(text: str) -> str:
    """The text on one line, with nothing in it that LaTeX takes for a command."""
    return "".join(SPECIAL.get(sign, sign) for sign in visible(" ".join(text.split())))


def stacked(name: str) -> str:
    """A name as the head of a column: over several lines if it is wider than a number with its deviation,
    its settings below it."""
    lines: list[str] = []
    for part in re.split(r" (?=\()|(?<=,) ", " ".join(name.split())):
        lines.append("")
        for piece in re.findall(r"[^-_/ ]+[-_/ ]*|[-_/ ]+", part):
            if lines[-1] and len(lines[-1] + piece) > WIDEST:
                lines.append("")
            lines[-1] += piece
    first, *rest = map(escaped, lines)
    return r"\shortstack{" + r"\\".join([first, *rest]) + "}" if rest else first


def mark(number: int) -> str:
    """Raised letters, beginning with ``a`` for 1; nothing for 0."""
    again, letter = divmod(number - 1, len(ascii_lowercase))
    return f"$^{{{ascii_lowercase[letter] * (again + 1)}}}$" if number else ""


def joined(cells: Iterable[str]) -> str:
    """A line of a table."""
    return rf"{' & '.join(cells)} \\"


def best_in_bold(cells: Sequence[Cell]) -> list[str]:
    """The cells, the highest means in bold where there are two or more: all that look the same."""
    means = [float(cell.mean) for cell in cells if cell.mean != NONE]
    best = f"{max(means):.2f}" if len(means) > 1 else None
    return [(rf"\textbf{{{mean}}}" if mean == best else mean) + behind for mean, behind in cells]
