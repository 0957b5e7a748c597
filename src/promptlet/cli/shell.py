"""What the commands share: options, tables, JSON, progress, examples in the help."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from promptlet.characters import visible
from promptlet.cli.streams import is_terminal, put_out, results
from promptlet.cli.streams import say as say
from promptlet.cli.streams import warn as warn
from promptlet.errors import shown
from promptlet.numbers import MOST_OF_A_LIST, check_number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from promptlet.data import FeatureCache

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the feature cache.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; the first CUDA device, else the CPU.")]
Dtype = Annotated[str | None, typer.Option(help="Of the weights: float32, bfloat16 or float16.")]
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
FIRST_LINE, NEXT_LINE = 10.0, 30.0
"""Seconds until a bar in a log has its first line, and from each to the next."""


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


class Bars(Protocol):
    """How far a command is, on standard error."""

    def show(self, name: str, done: int, total: int, note: str = "") -> None:
        """Move the bar ``name``; it appears when it is first moved."""

    def remove(self, name: str) -> None:
        """Take a bar away."""

    def line(self, text: str) -> None:
        """A line of its own, above the bars."""


class NoBars:
    """Lines alone."""

    def show(self, name: str, done: int, total: int, note: str = "") -> None:
        """Nothing is shown."""

    def remove(self, name: str) -> None:
        """Nothing is there."""

    def line(self, text: str) -> None:
        """A line on standard error."""
        warn(text)


class DrawnBars:
    """Bars that move, on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, name: str, done: int, total: int, note: str = "") -> None:
        """Move the bar ``name``; it appears when it is first moved."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(visible(name), total=total, note="")
        self._progress.update(self._tasks[name], completed=done, total=total, note=visible(note))

    def remove(self, name: str) -> None:
        """Take a bar away."""
        if name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))

    def line(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(visible(text), markup=False, highlight=False, emoji=False)


@dataclass
class _Pace:
    """From where and since when a bar moves, how far it is, and when its next line is due, in seconds."""

    first: int
    began: float
    done: int
    total: int
    due: float


class WrittenBars:
    """For a log: of what takes long, a plain line now and then. What is quick, and every end, is silent."""

    def __init__(self) -> None:
        self._paces: dict[str, _Pace] = {}

    def show(self, name: str, done: int, total: int, note: str = "") -> None:
        """Say how far ``name`` is, when that was not said lately."""
        now, pace = monotonic(), self._paces.get(name)
        if pace is None or done < pace.done or total != pace.total:  # it counts other things now
            due = now + FIRST_LINE if pace is None else max(now + FIRST_LINE, pace.due)
            self._paces[name] = _Pace(done, now, done, total, due)
            return
        pace.done = done
        if now < pace.due or not pace.first < done < total:
            return
        pace.due = now + NEXT_LINE
        left = _in_words((now - pace.began) * (total - done) / (done - pace.first))
        after = f", {note}" if note else ""
        warn(f"{name}: {done:,} of {total:,} ({100 * done // total} %, about {left} left){after}")

    def remove(self, name: str) -> None:
        """Forget ``name``."""
        self._paces.pop(name, None)

    def line(self, text: str) -> None:
        """A line on standard error."""
        warn(text)


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def bars(off: bool = False) -> Iterator[Bars]:
    """Bars for the time of a block: drawn on a terminal, else written; none when they are off."""
    if off or not is_terminal(sys.stderr):
        yield NoBars() if off else WrittenBars()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:10}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield DrawnBars(progress)


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
