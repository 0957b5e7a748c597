"""Signals that end a server, in this process or in a cluster."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from promptlet.serve.logs import flush

STOPS: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_logger = logging.getLogger("promptlet.serve")


@contextmanager
def stopped_by_signals(stop: Callable[[], None], lost: str) -> Iterator[None]:
    """Inside, the first signal calls ``stop``. Clusters repeat theirs, which changes nothing; a person who
    presses Ctrl-C again means it: the process ends at once, and the log says what is ``lost``.

    What is ignored stays so. Elsewhere than in the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in STOPS if hasattr(signal, name)]
    before = {one: signal.getsignal(one) for one in numbers}
    own = [one for one, handler in before.items() if handler is not signal.SIG_IGN]
    is_stopping = False

    def handle(number: int, _frame: object) -> None:
        nonlocal is_stopping
        if not is_stopping:
            is_stopping = True
            _logger.info("stopping: %s", signal.Signals(number).name)
            stop()
        elif number == signal.SIGINT:
            _logger.warning("ended at once; %s", lost)
            flush()
            os._exit(128 + number)

    for one in own:
        signal.signal(one, handle)
    try:
        yield
    finally:
        for one in own:
            signal.signal(one, before[one])
