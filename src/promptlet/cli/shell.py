"""What the commands share: options, tables, JSON, progress, examples in the help."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.characters import visible
from promptlet.cli.streams import is_terminal, put_out, results
from promptlet.cli.streams import say as say
from promptlet.cli.streams import warn as warn
from promptlet.errors import shown
from promptlet.numbers import MOST_OF_A_LIST, check_number
from promptlet.progress import Bars as Bars
from promptlet.progress import DrawnBars, NoBars, WrittenBars, taken, told_by

if TYPE_CHECKING:
    from rich.console import Console

    from promptlet.data import FeatureCache

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the feature cache.")]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1, mps; without it CUDA, else mps, else the CPU.")
]
Dtype = Annotated[
    str | None,
    typer.Option(
        help="auto (mixed for large models where that is faster on this machine, else float32), float32, "
        "mixed (products in bfloat16), bfloat16 or float16; else auto.",
        show_default=False,
    ),
]
BenchDtype = Annotated[
    str | None,
    typer.Option(help="As in fit; else float32, the same on every machine.", show_default=False),
]
NewNames = Annotated[
    str | None,
    typer.Option(
        "--new-names",
        help="How names that were not taught are answered: learned, zero-shot or blend; else as "
        "the prompt was made, or the method's own.",
        show_default=False,
    ),
]
MOST_DIGITS = 1000
"""Python reads no more than 4,300."""


def examples(*lines: str) -> str:
    """The examples at the end of a command's help, one per line."""
    return "\b\nExamples:\n" + "\n".join(f"  promptlet {line}" for line in lines)


def end_with_failures(failed: int, runs: int) -> None:
    """Say how many of the runs failed and how to try again, and exit with 1; nothing where none did."""
    if failed:
        warn(f"error: {failed} of {runs} runs failed; run the same command again to try only these again")
        raise typer.Exit(1)


def emit_json(document: dict[str, Any]) -> None:
    """The one document of ``--json``."""
    text = json.dumps({"schema": 1, **document}, indent=1, allow_nan=False)
    put_out(f"{text}\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """A table on standard output; columns in ``right`` are aligned right. Never cut when it is piped.

    A table of numbers that is wider than the terminal runs over its edge: folded, no number could be read.
    """
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in head:
        grid.add_column(_plain(name), justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(_plain(value) for value in row))
    console = _console(sys.stdout)
    if right:
        wide = _console(sys.stdout)
        wide.width = 10_000
        console.width = max(console.width, wide.measure(grid).maximum)
    with results():
        console.print(grid)


def _plain(value: str) -> Any:
    from rich.text import Text

    return Text(visible(value))


def _console(stream: Any) -> Console:
    from rich.console import Console

    width = None if is_terminal(stream) else 200
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


@contextmanager
def bars(off: bool = False) -> Iterator[Bars]:
    """Bars for the time of a block: drawn on a terminal, else written; none when they are off. The library
    shows none of its own meanwhile."""
    with taken():
        if off:
            with told_by(NoBars(warn)) as lines:
                yield lines
        elif not is_terminal(sys.stderr):
            with told_by(WrittenBars(warn)) as written:
                yield written
        else:
            with DrawnBars() as drawn, told_by(drawn):
                yield drawn


def open_cache(no_cache: bool) -> FeatureCache | None:
    """The user's feature cache, or none."""
    from promptlet.data import FeatureCache

    return None if no_cache else FeatureCache()


def tell_notes(cache: FeatureCache | None) -> None:
    """What the cache has to say, on standard error."""
    for note in cache.notes if cache is not None else ():
        warn(f"note: {note}")


def whole_numbers(text: str, what: str) -> list[int]:
    """``"1,2,3"`` or ``"1-3"`` as numbers; typer's usage error for anything else."""
    numbers: list[int] = []
    kind = {"--seeds": "seed"}.get(what, what.removeprefix("--"))
    for part in text.split(","):
        ends = [end.strip() for end in part.split("-")]
        if len(ends) > 2 or not all(end.isascii() and end.isdigit() for end in ends):
            raise typer.BadParameter(
                f"{shown(text)} is no list of whole numbers; write 1,2,3 or 1-3", param_hint=what
            )
        first, last = (_one_of(what, end, kind) for end in (ends[0], ends[-1]))
        if last - first >= MOST_OF_A_LIST - len(numbers):
            raise typer.BadParameter(
                f"{shown(text)} names more than {MOST_OF_A_LIST:,} numbers; give fewer", param_hint=what
            )
        numbers += range(first, last + 1)
    if not numbers:
        raise typer.BadParameter(f"{shown(text)} is an empty range; write 1,2,3 or 1-3", param_hint=what)
    return list(dict.fromkeys(numbers))


def _one_of(what: str, digits: str, kind: str) -> int:
    """A number of a list; one with more digits than Python reads is too large for anything here."""
    number = int(digits) if len(digits) <= MOST_DIGITS else 10 ** len(digits)
    return int(check_number(what, number, kind))
