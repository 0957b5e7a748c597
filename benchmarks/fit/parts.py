"""Where the seconds of a process go: functions of the library, each timed without what another one takes."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any


class Parts:
    """seconds: of each part, on the main thread. A part inside another is not counted to the outer one, but
    for those ``whole``, which take all that happens in them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self._stack: list[tuple[str, bool]] = []
        self._since = 0.0

    def watch(self, place: str, part: str, whole: bool = False) -> None:
        """Count calls of ``place`` ("module:name" or "module:Class.name") to ``part``."""
        module, _, path = place.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, name = path.split(".")
        for step in outer:
            owner = getattr(owner, step)
        setattr(owner, name, self._counted(getattr(owner, name), part, whole))

    def _counted(self, function: Callable[..., Any], part: str, whole: bool) -> Callable[..., Any]:
        @wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            is_main = threading.current_thread() is threading.main_thread()
            if not is_main or (self._stack and self._stack[-1][1]):
                return function(*args, **kwargs)
            self._switch()
            self.first.setdefault(part, time.time())
            self._stack.append((part, whole))
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()
                self._stack.pop()

        return counted

    def _switch(self) -> None:
        now = time.perf_counter()
        if self._stack:
            part = self._stack[-1][0]
            self.seconds[part] = self.seconds.get(part, 0.0) + now - self._since
        self._since = now
