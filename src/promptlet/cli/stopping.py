"""A command that is told to stop (Ctrl-C, a cluster's SIGTERM, a terminal that closes) ends in one way."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

STOPS = ("SIGTERM", "SIGHUP")
GRACE = 10.0
"""Seconds in which the same signal again changes nothing: clusters send it several times, and what is being
put away at the first must not be cut short by the second."""


class Stopped(KeyboardInterrupt):
    """A signal. A class of its own: a plain KeyboardInterrupt on its way through code that Python compiles as
    it runs makes Python end itself by SIGINT, whatever exit code is chosen."""


class Interrupted(KeyboardInterrupt):
    """The command was stopped; with a line saying how to go on."""


SOON, LATER = 0.05, 1.0
"""Seconds after which a stop that had to wait is tried again, and after which it is looked whether one that
was raised still is."""
_can_wait = threading.Event()
_first: list[tuple[int, float]] = []
"""The signal that stopped the command, and when."""


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt inside, as Ctrl-C does; what is ignored stays so."""
    numbers = [getattr(signal, name) for name in STOPS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers.append(signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    own = [
        number
        for number, handler in before.items()
        if handler in (signal.SIG_DFL, signal.default_int_handler)
    ]
    for number in own:
        signal.signal(number, _stop)
    try:
        with _alarm():
            yield
    finally:
        for number in own:
            signal.signal(number, before[number])


@contextmanager
def _alarm() -> Iterator[None]:
    """Inside, a stop can wait and is not lost, where the system has an alarm that nobody uses."""
    if not hasattr(signal, "setitimer") or signal.getsignal(signal.SIGALRM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGALRM, _look_again)
    _can_wait.set()
    try:
        yield
    finally:
        _can_wait.clear()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    now = monotonic()
    is_again = bool(_first) and now - _first[0][1] < GRACE
    if is_again and number != signal.SIGINT:  # a person who presses twice means it
        return
    if not _first:
        _first.append((number, now))
    _stop_outside_imports(number, frame)


def _stop_outside_imports(_number: int, frame: FrameType | None) -> None:
    """Raise `Stopped`, or wait until a module is imported: libraries take whatever is raised meanwhile for a
    module that is missing, say so, or go on without it."""
    if _can_wait.is_set():
        is_importing = _is_importing(frame)
        signal.setitimer(signal.ITIMER_REAL, SOON if is_importing else LATER)
        if is_importing:
            return
    raise Stopped


def _look_again(number: int, frame: FrameType | None) -> None:
    """What was raised can be lost: compiled code that calls Python makes an error of its own of it, a
    finalizer drops it. So it is raised again, unless it is on its way: what puts things away is not cut."""
    if _is_ending():
        signal.setitimer(signal.ITIMER_REAL, LATER)
    else:
        _stop_outside_imports(number, frame)


def _is_ending() -> bool:
    """Whether a `Stopped` is handled now, or what was made of it."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, Stopped):
        error = error.__context__
    return error is not None


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib._bootstrap"):
            return True
        frame = frame.f_back
    return False


def is_stopped() -> bool:
    """Whether a signal came, whatever became of it."""
    return bool(_first)


def exit_code() -> int:
    """Of a command that was stopped: 128 and the number of the signal, 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_first[0][0] if _first else int(signal.SIGINT))


def word() -> str:
    """How the end is called."""
    number = _first[0][0] if _first else signal.SIGINT
    return "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
