"""Pieces of work in a few threads, in turns of tenants; each made only once at a time, for all who ask."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

from promptlet.errors import BusyError, ServiceError
from promptlet.serve.turns.lines import Lines
from promptlet.serve.turns.room import Pace, Room, busy, less

T = TypeVar("T")
Item = TypeVar("Item")


class NoTurnError(BusyError):
    """There is no room for what is asked, or it did not have its turn in time."""


@dataclass(eq=False)
class _Job(Generic[T]):
    """size: how long it takes beside others, such as a number of names. askers: by tenant."""

    key: Hashable
    work: Callable[[], T]
    size: int
    future: Future[T] = field(default_factory=Future)
    askers: Counter[str] = field(default_factory=Counter)
    begun: float = 0.0


class Once(Generic[T]):
    """Work in ``threads`` threads, of which one tenant has ``threads_of_tenant``: who asks alone finds a
    thread, however long the work of another one lasts.

    At most one piece for a key at a time: who asks for what is being made waits for it. It goes on when one
    who waits goes away, and is dropped when all do before it began. What fails is not remembered.
    room: for askers' pieces, see `asking`. wait_seconds: how long an asker waits while none of its pieces has
    its turn. what: is told to wait, in a refusal, such as "addresses".
    """

    def __init__(
        self, threads: int, threads_of_tenant: int, room: Room, wait_seconds: float, what: str, name: str
    ) -> None:
        self.wait_seconds, self.room = wait_seconds, room
        self._threads, self._threads_of_tenant, self._what = threads, threads_of_tenant, what
        self._lock = threading.Lock()
        self._jobs: dict[Hashable, _Job[T]] = {}  # that have not ended
        self._waiting: Lines[_Job[T]] = Lines()  # a job is in the line of each tenant who asks for it
        self._running: Counter[str] = Counter()
        self._pace = Pace()  # of a size of 1
        self._refusal = ""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    @contextmanager
    def asking(self, tenant: str, pieces: int) -> Iterator[Asking[T]]:
        """Room for so many pieces at a time, or fewer where that is the most of a tenant, until the block is
        left. Raises NoTurnError where there is none, or the first would wait too long."""
        pieces = min(pieces, self.room.most_of_tenant)
        with self._lock:
            self._check(tenant, pieces)
            self.room.take(tenant, pieces)
        try:
            yield Asking(self, tenant, pieces)
        finally:
            with self._lock:
                self.room.give_back(tenant, pieces)

    def close(self) -> None:
        """What has not begun is refused."""
        with self._lock:
            self._refusal = "the server is closing; ask again when it is back"
            for job in {id(job): job for job in self._waiting}.values():
                job.future.set_exception(ServiceError(self._refusal, 503))
            self._jobs, self._waiting = {}, Lines()
        self._pool.shutdown(wait=False)

    # what an asker does

    def join(self, tenant: str, key: Hashable, work: Callable[[], T], size: int) -> _Job[T]:
        """The piece of this key, which is in the tenant's line unless it has begun."""
        with self._lock:
            self._check_open()
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job(key, work, max(1, size))
            job.askers[tenant] += 1
            if not job.begun:
                self._waiting.add(tenant, key, job)
                self._begin()
            return job

    def leave(self, tenant: str, job: _Job[T]) -> None:
        """One who waits for it does so no longer."""
        with self._lock:
            less(job.askers, tenant)
            if job.begun or tenant in job.askers:
                return
            self._waiting.remove(tenant, job.key)
            if not job.askers and self._jobs.get(job.key) is job:
                del self._jobs[job.key]

    def late(self, seconds: float) -> NoTurnError:
        """Of who waited so long."""
        with self._lock:
            return self._busy(f"after {seconds:.1f} s, nothing of yours had its turn", self._backlog())

    # under the lock

    def _check_open(self) -> None:
        if self._refusal:
            raise ServiceError(self._refusal, 503)

    def _check(self, tenant: str, pieces: int) -> None:
        self._check_open()
        held, own = self.room.held, self.room.of_tenant[tenant]
        if not self.room.has(tenant, pieces):
            why = (
                f"{held:,} {self._what} wait, {own:,} of them yours, and there is no room for {pieces:,} more"
            )
            raise self._busy(why, self._backlog())
        ahead = [] if self._is_free(tenant) else self._waiting.before(tenant, self._may)
        expected = self._pace.seconds * sum(job.size for job in ahead) / self._threads
        if expected > self.wait_seconds:
            why = f"the first of your {self._what} would have its turn in about {expected:.0f} s"
            raise self._busy(why, expected)

    def _is_free(self, tenant: str) -> bool:
        """Whether a thread is, for what it asks next."""
        return self._may(tenant) and self._running.total() < self._threads

    def _may(self, tenant: str) -> bool:
        return self._running[tenant] < self._threads_of_tenant

    def _backlog(self) -> float:
        """Seconds that all that waits and is worked on may take."""
        return self._pace.seconds * sum(job.size for job in self._jobs.values()) / self._threads

    def _busy(self, why: str, seconds: float) -> NoTurnError:
        told = busy(why, seconds)
        return NoTurnError(str(told), told.retry_after)

    def _begin(self) -> None:
        """What has its turn, while a thread is free."""
        while self._running.total() < self._threads and (found := self._waiting.next(self._may)) is not None:
            tenant, job = found
            for other in job.askers:
                self._waiting.remove(other, job.key)
            job.begun = monotonic()
            self._running[tenant] += 1
            with suppress(RuntimeError):  # no room for a thread: one that is there, or comes, does it
                self._pool.submit(self._do, tenant, job)

    # on threads

    def _do(self, tenant: str, job: _Job[T]) -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = job.work()
        except BaseException as caught:
            error = caught
        with self._lock:
            self._jobs.pop(job.key, None)
            less(self._running, tenant)
            self._pace.add((monotonic() - job.begun) / job.size)
            if not self._refusal:
                self._begin()
        if error is None:
            job.future.set_result(result)  # type: ignore[arg-type]
        else:
            job.future.set_exception(error)


class Asking(Generic[T]):
    """One who asks, for ``most`` pieces at a time, on an event loop."""

    def __init__(self, once: Once[T], tenant: str, most: int) -> None:
        self.most, self._once, self._tenant = most, once, tenant
        self._jobs: list[_Job[T]] = []  # that are waited for
        self._moved = monotonic()

    async def get(self, key: Hashable, work: Callable[[], T], size: int = 1) -> T:
        """What ``work`` gives, or what the same work, asked for before, gives.

        Raises NoTurnError where nothing that is asked for here has its turn in time.
        """
        job = self._once.join(self._tenant, key, work, size)
        self._jobs.append(job)
        mine = asyncio.wrap_future(job.future)
        mine.add_done_callback(_looked_at)
        try:
            while not mine.done():
                left = self._until() - monotonic()
                if left <= 0:
                    raise self._once.late(monotonic() - self._moved)
                await asyncio.wait([mine], timeout=left)
            return mine.result()
        finally:
            self._jobs.remove(job)
            self._moved = monotonic()
            self._once.leave(self._tenant, job)

    async def each(self, items: Collection[Item], work: Callable[[Item], Awaitable[None]]) -> None:
        """``work`` with each of the items, with as many at a time as there is room for. Where it fails, or
        all are given up, nothing of it goes on."""
        left = iter(items)

        async def some() -> None:
            for item in left:  # shared: whoever is free takes the next
                await work(item)

        tasks = [asyncio.ensure_future(some()) for _ in range(min(self.most, len(items)))]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    def _until(self) -> float:
        """Some time after something of it began or ended; never while a piece is worked on."""
        is_working = any(job.begun for job in self._jobs)
        moved = monotonic() if is_working else self._moved
        return moved + self._once.wait_seconds


def _looked_at(future: asyncio.Future[T]) -> None:
    """What failed for somebody who has gone away is nobody's business."""
    if not future.cancelled():
        future.exception()
