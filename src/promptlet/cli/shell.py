"""What the commands share: errors in words, JSON, progress, examples in the help."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from promptlet.errors import PromptletError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from promptlet.data import FeatureCache

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the feature cache.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; the first CUDA device, else the CPU.")]
Dtype = Annotated[str | None, typer.Option(help="Of the weights: float32, bfloat16 or float16.")]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a line saying how to go on."""


class ErrorsInWords(TyperGroup):
    """The root of the commands: expected errors become one line on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command. 1 for an expected error, 130 for Ctrl-C; anything else is a bug and shows as one."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            hint = str(error) if isinstance(error, Interrupted) else "run the same command again"
            typer.echo(f"\ninterrupted: {hint}", err=True)
            raise typer.Exit(130) from None
        except PromptletError as error:
            typer.echo(f"error: {error}", err=True)
            if "--json" in sys.argv:
                emit_json({"error": str(error), "kind": type(error).__name__})
            raise typer.Exit(1) from None


def examples(*lines: str) -> str:
    """The examples at the end of a command's help, one per line."""
    return "\b\nExamples:\n" + "\n".join(f"  promptlet {line}" for line in lines)


def say(text: str = "") -> None:
    """A line for people, on standard output."""
    typer.echo(text)


def warn(text: str) -> None:
    """A line on standard error."""
    typer.echo(text, err=True)


def end_with_failures(failed: int, runs: int) -> None:
    """Say how many of the runs failed and how to try again, and exit with 1; nothing where none did."""
    if failed:
        warn(f"error: {failed} of {runs} runs failed; run the same command again to try only these again")
        raise typer.Exit(1)


def emit_json(document: dict[str, Any]) -> None:
    """The one document of ``--json``."""
    typer.echo(json.dumps({"schema": 1, **document}, indent=1, allow_nan=False))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """A table on standard output; columns in ``right`` are aligned right. Never cut when it is piped.

    A table of numbers that is wider than the terminal runs over its edge: folded, no number could be read.
    """
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in head:
        grid.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(_plain(value) for value in row))
    console = _console(sys.stdout)
    if right:
        wide = _console(sys.stdout)
        wide.width = 10_000
        console.width = max(console.width, wide.measure(grid).maximum)
    console.print(grid)


def _plain(value: str) -> Any:
    from rich.text import Text

    return Text(value)


def _console(stream: Any) -> Console:
    from rich.console import Console

    is_terminal = stream.isatty()
    return Console(file=stream, width=None if is_terminal else 200, highlight=False)


class Bars:
    """Progress bars on standard error; silent when that is no terminal, or when they are off."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self._tasks: dict[str, Any] = {}

    def show(self, name: str, done: int, total: int, note: str = "") -> None:
        """Move the bar ``name``; it appears when it is first moved."""
        if self.progress is None:
            return
        if name not in self._tasks:
            self._tasks[name] = self.progress.add_task(name, total=total, note=note)
        self.progress.update(self._tasks[name], completed=done, total=total, note=note)

    def remove(self, name: str) -> None:
        """Take a bar away."""
        if self.progress is not None and name in self._tasks:
            self.progress.remove_task(self._tasks.pop(name))

    def line(self, text: str) -> None:
        """A line on standard error, above the bars."""
        if self.progress is None:
            warn(text)
        else:
            self.progress.console.print(text, markup=False, highlight=False)


@contextmanager
def bars(off: bool = False) -> Iterator[Bars]:
    """Bars for the time of a block."""
    if off or not sys.stderr.isatty():
        yield Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bars(progress)


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
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isascii() or not first.isdigit() or (dash and not (last.isascii() and last.isdigit())):
            raise typer.BadParameter(
                f"{text!r} is no list of whole numbers; write 1,2,3 or 1-3", param_hint=what
            )
        numbers += range(int(first), int(last or first) + 1)
    if not numbers:
        raise typer.BadParameter(f"{text!r} is an empty range; write 1,2,3 or 1-3", param_hint=what)
    return list(dict.fromkeys(numbers))
