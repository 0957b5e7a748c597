"""What happens in projects, told to whoever follows them: from any thread, and never more than the newest."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Following:
    """One who follows projects. What was not taken yet is replaced by what is newer of its name."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news: dict[tuple[str, str], Any] = {}
        self._is_there = asyncio.Event()

    def tell(self, project: str, name: str, data: Any) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, (project, name), data)

    def _take(self, what: tuple[str, str], data: Any) -> None:
        self._news.pop(what, None)
        self._news[what] = data
        self._is_there.set()

    async def news(self, seconds: float) -> list[tuple[tuple[str, str], Any]]:
        """What is new, by project and name, or nothing after so many seconds."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._is_there.wait(), seconds)
        found, self._news = list(self._news.items()), {}
        self._is_there.clear()
        return found


class Events:
    """Of all projects."""

    def __init__(self) -> None:
        self._following: dict[str, list[Following]] = {}
        self._lock = threading.Lock()

    def tell(self, project: str, name: str, data: Any) -> None:
        """All who follow a project. For any thread."""
        with self._lock:
            following = list(self._following.get(project, ()))
        for one in following:
            one.tell(project, name, data)

    @contextmanager
    def following(self, *projects: str) -> Iterator[Following]:
        """Inside, what happens is told."""
        one = Following()
        with self._lock:
            for project in projects:
                self._following.setdefault(project, []).append(one)
        try:
            yield one
        finally:
            with self._lock:
                for project in projects:
                    self._following[project].remove(one)
                    if not self._following[project]:
                        del self._following[project]

    def followed(self) -> list[str]:
        """Projects that somebody follows."""
        with self._lock:
            return list(self._following)
