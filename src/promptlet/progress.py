"""How far work is, shown to a person: bars that move on a terminal or in a notebook, lines elsewhere."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from promptlet.characters import visible

LOGGER = logging.getLogger("promptlet")
"""Where the library tells of itself; silent until its user sets up `logging`."""
LOGGER.addHandler(logging.NullHandler())
FIRST_LINE, NEXT_LINE = 10.0, 30.0
"""Seconds until a bar in a log has its first line, and from each to the next."""
FIRST_BAR = 0.5
"""Seconds that work may take without a bar that nobody asked for."""
OF_IMAGES = ("encoding", "testing", "answering", "checking", "looking")
"""Bars that count images, whose pace is told."""
NOTEBOOKS = ("ZMQInteractiveShell", "Shell")
"""What IPython calls itself in Jupyter, and in Colab."""

_taken: ContextVar[bool] = ContextVar("promptlet_progress_is_shown", default=False)
_views: ContextVar[int] = ContextVar("promptlet_views", default=1)
_known: ContextVar[int] = ContextVar("promptlet_not_encoded", default=0)
_bars: ContextVar[Bars | None] = ContextVar("promptlet_bars", default=None)


class Bars(Protocol):
    """How far work is."""

    def show(self, name: str, done: int, total: int, note: str = "") -> None:
        """Move the bar ``name``; it appears when it is first moved."""

    def remove(self, name: str) -> None:
        """Take a bar away."""

    def line(self, text: str) -> None:
        """A line of its own, above the bars."""


class NoBars:
    """Lines alone."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def show(self, name: str, done: int, total: int, note: str = "") -> None:
        """Nothing is shown."""

    def remove(self, name: str) -> None:
        """Nothing is there."""

    def line(self, text: str) -> None:
        """A line."""
        self._write(text)


@contextmanager
def counting(views: int) -> Iterator[None]:
    """For the time of a block that encodes so many views of each image, and counts images times views."""
    before = _views.set(views)
    try:
        yield
    finally:
        _views.reset(before)


def not_encoded(more: int) -> None:
    """Some of what is counted next needed no encoding, as it was in a cache: the pace is that of the rest."""
    _known.set(_known.get() + more)


@dataclass
class _Pace:
    """Where a bar began, how far it is, and when, in seconds. known: what of all work was not encoded. made,
    spent: what was done since but for that, and in what time."""

    first: int
    done: int
    total: int
    now: float
    known: int
    unit: str
    made: int = 0
    spent: float = 0.0
    is_new: bool = True

    def move(self, done: int, now: float, known: int) -> None:
        """It is there now."""
        free = max(0, min(known - self.known, done - self.done))
        made = done - self.done - free
        if made or not free:
            self.spent += now - self.now
        self.made += made
        self.done, self.now, self.known, self.is_new = done, now, known, False

    @property
    def per_second(self) -> float:
        """0 while nothing is known."""
        return self.made / self.spent if self.spent > 0 else 0.0

    @property
    def in_words(self) -> str:
        """Of images, or of their views."""
        digits = 0 if self.per_second >= 10 else 1 if self.per_second >= 1 else 2
        return f"{self.per_second:,.{digits}f} {self.unit}/s"

    @property
    def left(self) -> str:
        """The time that the rest takes, in words; "" while that is not known, and at the end."""
        rate = self.per_second
        return f"{_in_words((self.total - self.done) / rate)} left" if rate and self.done < self.total else ""


class _Paces:
    """The pace of each bar: begun anew where it goes back or counts other things."""

    def __init__(self) -> None:
        self._by_name: dict[str, _Pace] = {}

    def moved(self, name: str, done: int, total: int) -> _Pace:
        """That of ``name``, which has come so far."""
        now, pace = monotonic(), self._by_name.get(name)
        known = _known.get() if name in OF_IMAGES else 0
        if pace is None or done < pace.done or total != pace.total:
            unit = "images" if _views.get() == 1 else "views"
            self._by_name[name] = pace = _Pace(done, done, total, now, known, unit)
        else:
            pace.move(done, now, known)
        return pace

    def forget(self, name: str) -> None:
        """Begin anew when it moves again."""
        self._by_name.pop(name, None)


class DrawnBars:
    """Bars that move, on the terminal of standard error, for the time of a ``with`` block.

    after: seconds until the first one is drawn. stay: whether they are left there at the end.
    """

    def __init__(self, after: float = 0.0, stay: bool = True) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description:10}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            TextColumn("{task.fields[pace]}{task.fields[note]}", markup=False),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=not stay)
        self._due = monotonic() + after
        self._is_drawn = False
        self._tasks: dict[str, Any] = {}
        self._paces = _Paces()

    def __enter__(self) -> DrawnBars:
        self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_drawn:
            self._progress.stop()

    def _draw(self) -> None:
        if not self._is_drawn and monotonic() >= self._due:
            self._progress.start()
            self._is_drawn = True

    def show(self, name: str, done: int, total: int, note: str = "") -> None:
        """Move the bar ``name``; it appears when it is first moved."""
        self._draw()
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(visible(name), total=total, note="", pace="", left="")
        pace = self._paces.moved(name, done, total)
        words = f"{pace.in_words}  " if name in OF_IMAGES and pace.per_second else ""
        self._progress.update(
            self._tasks[name], completed=done, total=total, note=visible(note), pace=words, left=pace.left
        )

    def remove(self, name: str) -> None:
        """Take a bar away."""
        if name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))
            self._paces.forget(name)

    def line(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(visible(text), markup=False, highlight=False, emoji=False)


class WrittenBars:
    """For a log: of what takes long, a plain line now and then. What is quick, and every end, is silent."""

    def __init__(
        self, write: Callable[[str], None], first: float = FIRST_LINE, following: float = NEXT_LINE
    ) -> None:
        self._write, self._first, self._next = write, first, following
        self._paces = _Paces()
        self._due: dict[str, float] = {}  # of the next line, in seconds

    def show(self, name: str, done: int, total: int, note: str = "") -> None:
        """Say how far ``name`` is, when that was not said lately."""
        pace = self._paces.moved(name, done, total)
        if pace.is_new:
            self._due[name] = max(pace.now + self._first, self._due.get(name, 0.0))
            return
        if pace.now < self._due[name] or not pace.first < done < total:
            return
        self._due[name] = pace.now + self._next
        rate = f", {pace.in_words}" if name in OF_IMAGES and pace.left else ""
        left = f", about {pace.left}" if pace.left else ""
        after = f", {note}" if note else ""
        self._write(f"{name}: {done:,} of {total:,} ({100 * done // total} %{rate}{left}){after}")

    def remove(self, name: str) -> None:
        """Forget ``name``."""
        self._paces.forget(name)
        self._due.pop(name, None)

    def line(self, text: str) -> None:
        """A line."""
        self._write(text)


class NotebookBars(WrittenBars):
    """One line below a notebook's cell that is written over, for the time of a ``with`` block; it needs no
    widgets."""

    def __init__(self, after: float) -> None:
        super().__init__(self._put, after, FIRST_BAR)
        self._line: Any = None

    def __enter__(self) -> NotebookBars:
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._put("")

    def _put(self, text: str) -> None:
        from IPython.display import display

        content = {"text/plain": visible(text)}
        if self._line is None:
            self._line = display(content, raw=True, display_id=True)
        else:
            self._line.update(content, raw=True)


def tell(text: str) -> None:
    """What a person should know of work that goes on: a line above the bars, or to the log."""
    shown_now = _bars.get()
    if shown_now is None:
        LOGGER.warning("%s", text)
    else:
        shown_now.line(text)


@contextmanager
def told_by(own: Bars) -> Iterator[Bars]:
    """For the time of a block `tell` writes its lines above these bars."""
    before = _bars.set(own)
    try:
        yield own
    finally:
        _bars.reset(before)


@contextmanager
def taken() -> Iterator[None]:
    """For the time of a block somebody else shows how far work is: `shown` shows nothing."""
    before = _taken.set(True)
    try:
        yield
    finally:
        _taken.reset(before)


@contextmanager
def shown(verbose: bool | None) -> Iterator[Bars]:
    """Bars for the time of a block, in it and in all that it calls only once.

    verbose: False, or 0, for none; True for bars on a terminal or in a notebook, else lines on standard
    error; None for the same, except that quick work shows none and lines go to the logger "promptlet".
    """
    if _taken.get() or (verbose is not None and not verbose):
        yield NoBars(LOGGER.info)
        return
    after = 0.0 if verbose else FIRST_BAR
    with taken():
        if not _is_seen():
            yield WrittenBars(_to_standard_error if verbose else LOGGER.info)
        elif _is_notebook():
            with NotebookBars(after) as noted, told_by(noted):
                yield noted
        else:
            with DrawnBars(after, stay=bool(verbose)) as drawn, told_by(drawn):
                yield drawn


def _is_seen() -> bool:
    """Whether a person looks on, and nobody else draws there: not of several processes or threads."""
    alone = multiprocessing.current_process().name == "MainProcess"
    alone = alone and threading.current_thread() is threading.main_thread()
    return alone and (_is_notebook() or (sys.stderr is not None and sys.stderr.isatty()))


def _is_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ in NOTEBOOKS


def _to_standard_error(text: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads it any more
        print(visible(text), file=sys.stderr, flush=True)


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
