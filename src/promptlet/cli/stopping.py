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


class Interrupted(KeyboardInterrupt):
    """The command was stopped; with a line saying how to go on."""


_first: list[tuple[int, float]] = []
"""The signal that stopped the command, other than Ctrl-C, and when."""


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt inside, as Ctrl-C does; one that is ignored stays so."""
    numbers = [getattr(signal, name) for name in STOPS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in own:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in own:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _frame: FrameType | None) -> None:
    now = monotonic()
    if _first and now - _first[0][1] < GRACE:
        return
    if not _first:
        _first.append((number, now))
    raise KeyboardInterrupt


def exit_code() -> int:
    """Of a command that was stopped: 128 and the number of the signal, 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_first[0][0] if _first else int(signal.SIGINT))


def word() -> str:
    """How the end is called."""
    return f"stopped by {signal.Signals(_first[0][0]).name}" if _first else "interrupted"
