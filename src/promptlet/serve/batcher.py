"""Items of many askers, worked on in batches by one thread, while others prepare the next ones.

Nothing waits for a batch to fill: the worker takes what is prepared when it is free, so that an item that
comes alone goes through at once, and batches grow by themselves while it is busy. Threads fetch what they do
under one lock. The event loop only accepts items and hears what became of them, so that a busy loop does not
keep the worker waiting, and no thread ever waits for the loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from promptlet.errors import OptionError, ServiceError
from promptlet.serve.turns.batches import ENDED, WORKING, Place, Places
from promptlet.serve.turns.room import Pace, Room, busy

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Result = TypeVar("Result")

_logger = logging.getLogger("promptlet.serve")
CLOSING_SECONDS = 5.0
"""After which threads that do not end are left behind."""


class Watcher(Protocol):
    """Who is told of what happens, by any thread."""

    def waited(self, seconds: Sequence[float]) -> None:
        """From acceptance until it was taken into a batch, of each item of one."""

    def prepared(self, seconds: float) -> None:
        """One item."""

    def worked(self, items: int, seconds: float) -> None:
        """One batch."""


class Batcher(Generic[Item, Prepared, Result]):
    """``prepare(item)`` in ``threads`` threads, ``work(prepared items)`` in one: a result for each.

    most: items of a batch, whose ``shape(prepared)`` is equal; twice as many at most are prepared or being
    prepared. queue: items accepted and not ended, of one tenant ``tenant_share`` of them. wait_seconds: how
    long an asker waits while none of its items gets its turn. stuck_seconds: after which one preparation or
    one batch will not end any more. check: raises where the worker cannot work at all; asked after a batch
    of which nothing came. on_stuck(reason): called once, from any thread, when nothing will be answered any
    more; every asker then gets a ServiceError.
    To be used from one event loop.
    """

    def __init__(
        self,
        prepare: Callable[[Item], Prepared],
        work: Callable[[Sequence[Prepared]], Sequence[Result]],
        *,
        threads: int,
        most: int,
        queue: int,
        tenant_share: float,
        wait_seconds: float,
        stuck_seconds: float,
        on_stuck: Callable[[str], None],
        shape: Callable[[Prepared], Hashable] = lambda _: None,
        check: Callable[[], None] = lambda: None,
        watcher: Watcher | None = None,
    ) -> None:
        self._prepare, self._work, self._shape, self._check = prepare, work, shape, check
        self._room = Room(queue, tenant_share)
        self._wait_seconds, self._stuck_seconds, self._on_stuck = wait_seconds, stuck_seconds, on_stuck
        self._watcher = watcher
        self._places = Places(most, self._room)
        self._lock = threading.Lock()
        self._to_prepare, self._to_work = threading.Condition(self._lock), threading.Condition(self._lock)
        self._begun: dict[object, float] = {}  # preparations and the batch that go on, and since when
        self._pace = Pace()  # of an item
        self._refusal = ""  # why nothing is accepted any more
        self._is_over = self._is_told = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look_again: asyncio.TimerHandle | None = None
        targets = {f"promptlet-prepare-{number}": self._prepare_all for number in range(threads)}
        self._threads = [
            threading.Thread(target=self._guarded, args=(target,), name=name, daemon=True)
            for name, target in {**targets, "promptlet-work": self._work_all}.items()
        ]
        for thread in self._threads:
            thread.start()

    @property
    def held(self) -> int:
        """Items accepted and not ended."""
        return len(self._places.held)

    @property
    def most_of_tenant(self) -> int:
        """Items of one tenant that are accepted at once."""
        return self._room.most_of_tenant

    def check_open(self) -> None:
        """Raise ServiceError where nothing is accepted any more."""
        if self._refusal:
            raise ServiceError(self._refusal, 503)

    async def run(
        self, items: Mapping[Hashable, Item], tenant: str = "", deadline: float | None = None, beyond: int = 0
    ) -> dict[Hashable, Result | Exception]:
        """What came of each item: its result, or the error of its preparation or of its work.

        An item whose key is being worked on for the same tenant is not worked on again. deadline: of
        `time.monotonic`, after which an answer is of no use. beyond: items accepted above the bounds.
        Raises BusyError where there is no room for all, or who waited too long; ServiceError where nothing
        is answered any more; OptionError for more than is ever accepted. Cancelled, or left by an error, it
        frees the places of what is in no batch.
        """
        places = self._accept(items, tenant, beyond)
        try:
            await self._ended(places, deadline)
        finally:
            self._release(places)
        outcomes = {place.key: place.future.result() for place in places}
        for outcome in outcomes.values():
            if isinstance(outcome, ServiceError):
                raise outcome
        return outcomes

    async def close(self, drain_seconds: float) -> None:
        """Accept nothing more, end what was accepted within so many seconds, refuse the rest; no thread is
        left but one that is stuck."""
        self._loop = asyncio.get_running_loop()
        self._refusal = self._refusal or "the server is closing; ask again when it is back"
        with self._lock:
            futures = [place.future for place in self._places.held.values()]
        if futures and drain_seconds > 0:
            await asyncio.wait(futures, timeout=drain_seconds)
        with self._lock:
            self._is_over = True
            self._end_all()
            self._to_prepare.notify_all()
            self._to_work.notify_all()
        if self._look_again is not None:
            self._look_again.cancel()
        until = monotonic() + CLOSING_SECONDS
        while any(thread.is_alive() for thread in self._threads) and monotonic() < until:
            await asyncio.sleep(0.002)

    # on the event loop

    def _accept(self, items: Mapping[Hashable, Item], tenant: str, beyond: int) -> list[Place]:
        self._loop = asyncio.get_running_loop()
        with self._lock:
            new = len(self._places.new(tenant, items))
            self._check_room(new, tenant, beyond)
            places = self._places.take(tenant, items, self._loop)
            self._to_prepare.notify(new)
        if self._look_again is None and places:
            self._look_again = self._loop.call_later(self._stuck_seconds / 4, self._look)
        return places

    def _check_room(self, new: int, tenant: str, beyond: int) -> None:
        self.check_open()
        if new > self.most_of_tenant + beyond:
            raise OptionError(
                f"{new:,} images are asked for at once; allowed: {self.most_of_tenant:,}; ask for them in "
                "several requests, one after the other"
            )
        pace, own = self._pace.seconds, self._room.of_tenant[tenant]
        if not self._room.has(tenant, new, beyond):
            why = f"{self.held:,} images wait, {own:,} of them yours, and there is no room for {new:,} more"
            raise busy(why, pace * self.held)
        expected = pace * self._places.ahead(tenant)
        if new and not beyond and expected > self._wait_seconds:
            raise busy(f"your first image would have its turn in about {expected:.0f} s", expected)

    async def _ended(self, places: Sequence[Place], deadline: float | None) -> None:
        since = monotonic()
        while pending := [place for place in places if not place.future.done()]:
            now = monotonic()
            is_working = any(place.state in (WORKING, ENDED) for place in pending)
            moved = now if is_working else max(since, *(place.moved for place in places))
            limit = moved + self._wait_seconds
            limit = limit if deadline is None else min(limit, deadline)
            if now >= limit:
                waited = now - min(place.accepted for place in places)
                why = f"after {waited:.1f} s, {len(pending):,} of {len(places):,} images have no answer"
                raise busy(why, self._pace.seconds * self.held)
            await asyncio.wait([place.future for place in pending], timeout=limit - now)

    def _release(self, places: Iterable[Place]) -> None:
        with self._lock:
            for place in places:
                place.wanted -= 1
                if not place.wanted and place.state not in (WORKING, ENDED):
                    self._places.end(place)
            self._to_prepare.notify_all()

    def _look(self) -> None:
        """Now and then, while there is anything to do, whether it goes on."""
        self._look_again = None
        with self._lock:
            oldest = min(self._begun.values(), default=monotonic())
            is_idle = not self._begun and not self._places.held
        if monotonic() - oldest > self._stuck_seconds:
            self._tell_stuck(f"one image or batch takes longer than {self._stuck_seconds:g} s")
        elif not is_idle and self._loop is not None:
            self._look_again = self._loop.call_later(self._stuck_seconds / 4, self._look)

    # under the lock

    def _end(self, outcomes: Iterable[tuple[Place, object]]) -> None:
        """Places with what came of each; who ended before is not told twice."""
        told = [(place.future, outcome) for place, outcome in outcomes if place.state != ENDED]
        for place, _ in outcomes:
            if place.state != ENDED:
                self._places.end(place)
        if told and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                self._loop.call_soon_threadsafe(_tell, told)

    def _end_all(self) -> None:
        self._end([(place, ServiceError(self._refusal, 503)) for place in self._places.held.values()])

    # on threads

    def _guarded(self, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:
            _logger.critical("a thread of the batcher died", exc_info=error)
            self._tell_stuck(f"a thread of it died ({type(error).__name__})")

    def _prepare_all(self) -> None:
        while True:
            with self._lock:
                while (place := self._places.prepare()) is None:
                    if self._is_over:
                        return
                    self._to_prepare.wait()
                item = place.item
                began = self._begun[place] = monotonic()
            try:
                prepared = self._prepare(item)
                shape, error = self._shape(prepared), None
            except Exception as caught:
                prepared, shape, error = None, None, caught
            if self._watcher is not None:
                self._watcher.prepared(monotonic() - began)
            with self._lock:
                del self._begun[place]
                if error is None:
                    self._places.prepared(place, prepared, shape)
                    self._to_work.notify()
                else:
                    self._places.unprepared(place)
                    self._end([(place, error)])
            del place, item, prepared, error  # or they are held until the next one comes

    def _work_all(self) -> None:
        last = 0.0
        while True:
            with self._lock:
                while not (batch := self._places.batch()):
                    if self._is_over:
                        return
                    self._to_work.wait()
                began = self._begun[self] = monotonic()
                self._to_prepare.notify_all()
            outcomes = self._worked(batch)
            ended = monotonic()
            if self._watcher is not None:
                self._watcher.waited([began - place.accepted for place in batch])
                self._watcher.worked(len(batch), ended - began)
            with self._lock:
                del self._begun[self]
                self._pace.add((ended - max(last, batch[0].accepted)) / len(batch))
                self._end(list(zip(batch, outcomes, strict=True)))
            last = ended
            del batch, outcomes

    def _worked(self, batch: Sequence[Place]) -> list[object]:
        outcomes = self._halved([place.prepared for place in batch])
        if all(isinstance(outcome, Exception) for outcome in outcomes):
            try:
                self._check()
            except Exception as error:
                _logger.critical("nothing can be worked on any more", exc_info=error)
                self._tell_stuck(f"it fails on all that it is given ({type(error).__name__})")
        return outcomes

    def _halved(self, prepared: Sequence[Any]) -> list[object]:
        """Results; of a batch that fails, of its halves, until what fails stands alone."""
        try:
            results: list[object] = list(self._work(prepared))
            if len(results) == len(prepared):
                return results
            raise RuntimeError(f"{len(results)} results came of {len(prepared)} items")
        except Exception as error:
            if len(prepared) == 1:
                _logger.error("one item cannot be worked on", exc_info=error)
                return [error]
        middle = len(prepared) // 2
        return [*self._halved(prepared[:middle]), *self._halved(prepared[middle:])]

    def _tell_stuck(self, reason: str) -> None:
        with self._lock:
            if self._is_told or self._is_over:
                return
            self._is_told = True
            self._refusal = f"nothing is answered any more: {reason}; the server has to be started again"
            self._end_all()
        _logger.critical("%s", self._refusal)
        self._on_stuck(reason)


def _tell(told: Iterable[tuple[asyncio.Future[Any], object]]) -> None:
    for future, outcome in told:
        future.set_result(outcome)
