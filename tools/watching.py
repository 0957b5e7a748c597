"""Processes that are watched: their lines are read, and what they come to is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import IO


def reading(stream: IO[str], take: Callable[[str], None]) -> threading.Thread:
    """A thread that takes each line of a process, so that it never waits for a reader."""

    def read() -> None:
        for line in stream:
            take(line)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


BUSY = 4
"""Times the seconds that something takes on a machine that does nothing else."""


def wait_until(is_so: Callable[[], bool], within: float, otherwise: str) -> float:
    """Seconds until it was so. Raises AssertionError where it is not within so many on a quiet machine, or
    `BUSY` times as many on any."""
    began, within = time.monotonic(), BUSY * within
    while not is_so():
        assert time.monotonic() < began + within, f"after {within:g} s: {otherwise}"
        time.sleep(0.05)
    return time.monotonic() - began
