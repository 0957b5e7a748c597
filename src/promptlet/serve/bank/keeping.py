"""What was made lately, in memory within a number of bytes; and each thing made only once at a time."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by key, of which the least recently used go when all together are larger than ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self.most, self.bytes = most, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> T | None:
        """The value, which is then the last to go."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: T, size: int) -> None:
        """Keep it, unless it alone is too large."""
        with self._lock:
            self._drop(key)
            if size > self.most:
                return
            self._kept[key] = value, size
            self.bytes += size
            while self.bytes > self.most:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        former = self._kept.pop(key, None)
        if former is not None:
            self.bytes -= former[1]


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
