"""Each thing made only once at a time, whoever asks for it meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Job(Generic[T]):
    future: Future[T]
    waiting: int = 0


class Once(Generic[T]):
    """Work in a few threads, at most one piece for a key at a time: who asks for what is being made waits for
    it. It goes on when one who waits goes away, and is dropped when all do before it began. What fails is not
    remembered."""

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, _Job[T]] = {}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="class-features")

    async def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """What ``work`` gives, or what the same work, begun before, gives."""
        with self._lock:
            job = self._running.get(key)
            if job is None:
                job = self._running[key] = _Job(self._pool.submit(self._do, key, work))
            job.waiting += 1
        mine = asyncio.wrap_future(job.future)
        mine.add_done_callback(_looked_at)
        try:
            return await asyncio.shield(mine)
        finally:
            self._leave(key, job)

    def close(self) -> None:
        """What has not begun is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _do(self, key: Hashable, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            with self._lock:
                self._running.pop(key, None)

    def _leave(self, key: Hashable, job: _Job[T]) -> None:
        with self._lock:
            job.waiting -= 1
            if not job.waiting and job.future.cancel() and self._running.get(key) is job:
                del self._running[key]


def _looked_at(future: asyncio.Future[T]) -> None:
    """What failed for somebody who has gone away is nobody's business."""
    if not future.cancelled():
        future.exception()
