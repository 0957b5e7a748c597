"""What is awaited ends in time, or when it is told to, without a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any


class Ending:
    """What is awaited inside is cancelled after so many seconds, or by `end`; an error comes in its place.

    late: makes that of the time.
    """

    def __init__(self, seconds: float, late: Callable[[], Exception]) -> None:
        self._seconds, self._late = seconds, late
        self._error: Exception | None = None
        self._is_left = False

    def end(self, error: Exception) -> None:
        """Now, by this error, unless it has ended."""
        if self._error is None and not self._is_left:
            self._error = error
            self._task.cancel()

    def __enter__(self) -> Ending:
        task = asyncio.current_task()
        assert task is not None
        self._task: asyncio.Task[Any] = task
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._seconds, lambda: self.end(self._late()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_left = True
        self._timer.cancel()
        if self._error is not None and isinstance(error, asyncio.CancelledError):
            getattr(self._task, "uncancel", int)()  # since Python 3.11
            raise self._error from None
