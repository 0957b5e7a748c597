"""A command that is told to stop (Ctrl-C, a cluster's SIGTERM, a terminal that closes) ends in one way."""

from __future__ import annotations

import signal
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
        yield
    finally:
        for number in own:
            signal.signal(number, before[number])


def _stop(number: int, _frame: FrameType | None) -> None:
    now = monotonic()
    is_again = bool(_first) and now - _first[0][1] < GRACE
    if is_again and number != signal.SIGINT:  # a person who presses twice means it
        return
    if not _first:
        _first.append((number, now))
    raise Stopped


def exit_code() -> int:
    """Of a command that was stopped: 128 and the number of the signal, 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_first[0][0] if _first else int(signal.SIGINT))


def word() -> str:
    """How the end is called."""
    number = _first[0][0] if _first else signal.SIGINT
    return "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
