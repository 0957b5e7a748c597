"""Items that are accepted and have not ended: whose turn it is, and what goes together.

No thread and no clock is in here but the times that are noted. Whoever calls holds a lock.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Hashable, Mapping
from itertools import chain, count, islice, zip_longest
from time import monotonic
from typing import Any

from promptlet.serve.turns.lines import Lines
from promptlet.serve.turns.room import Room, less

WAITING, PREPARING, PREPARED, WORKING, ENDED = range(5)


class Place:
    """An item from its acceptance to its end, and the future of what became of it.

    wanted: how many askers wait for it. moved: when it was accepted, taken into a batch, or ended.
    """

    __slots__ = (
        "accepted",
        "future",
        "item",
        "key",
        "moved",
        "number",
        "prepared",
        "state",
        "tenant",
        "wanted",
    )

    def __init__(
        self, number: int, tenant: str, key: Hashable, item: Any, future: asyncio.Future[Any]
    ) -> None:
        self.number, self.tenant, self.key, self.item, self.future = number, tenant, key, item, future
        self.state, self.wanted, self.prepared = WAITING, 0, None
        self.accepted = self.moved = monotonic()


class Places:
    """Within a room; 2 * ``most`` prepared or being prepared, of one tenant three quarters of these, and
    ``most`` in a batch.

    Tenants take turns in being prepared and again in each batch. So who comes alone while another one fills
    the queue finds a thread that prepares, and is in the next batch.
    """

    def __init__(self, most: int, room: Room) -> None:
        self.most, self.room = most, room
        self.held: dict[tuple[str, Hashable], Place] = {}
        self._waiting: Lines[Place] = Lines()
        self._ready: OrderedDict[str, OrderedDict[Place, Hashable]] = OrderedDict()
        self._ahead: Counter[str] = Counter()  # prepared or being prepared, by tenant
        self._most_ahead = (3 * most + 1) // 2
        self._numbers = count()

    def ahead(self, tenant: str) -> int:
        """How many have their turn before the next one of ``tenant``."""
        before = self._waiting.lengths() + self._ahead
        mine = before.pop(tenant, 0)
        return mine + sum(min(theirs, mine + 1) for theirs in before.values())

    def new(self, tenant: str, items: Mapping[Hashable, Any]) -> list[Hashable]:
        """Those that have no place yet."""
        return [key for key in items if (tenant, key) not in self.held]

    def take(
        self, tenant: str, items: Mapping[Hashable, Any], loop: asyncio.AbstractEventLoop
    ) -> list[Place]:
        """A place for each, those that are there already too."""
        for key in self.new(tenant, items):
            place = Place(next(self._numbers), tenant, key, items[key], loop.create_future())
            self.held[tenant, key] = place
            self.room.take(tenant, 1)
            self._waiting.add(tenant, key, place)
        places = [self.held[tenant, key] for key in items]
        for place in places:
            place.wanted += 1
        return places

    def prepare(self) -> Place | None:
        """The next to be prepared, of each tenant in turn; None where there is none, or enough is."""
        if self._ahead.total() >= 2 * self.most:
            return None
        found = self._waiting.next(lambda tenant: self._ahead[tenant] < self._most_ahead)
        if found is None:
            return None
        tenant, place = found
        place.state = PREPARING
        self._ahead[tenant] += 1
        return place

    def prepared(self, place: Place, prepared: Any, shape: Hashable) -> None:
        """It is, unless it ended meanwhile."""
        if place.state == ENDED:
            self._leave(place)
        else:
            place.state, place.prepared = PREPARED, prepared
            self._ready.setdefault(place.tenant, OrderedDict())[place] = shape

    def unprepared(self, place: Place) -> None:
        """It cannot be."""
        self._leave(place)

    def batch(self) -> list[Place]:
        """Of what is prepared, what goes together with the first, of each tenant in turn; in the order of
        acceptance."""
        if not self._ready:
            return []
        first = next(iter(self._ready.values()))
        shape = next(iter(first.values()))
        alike = [[place for place, own in line.items() if own == shape] for line in self._ready.values()]
        turns = chain.from_iterable(zip_longest(*alike))
        batch = list(islice((place for place in turns if place is not None), self.most))
        now = monotonic()
        for place in batch:
            self._unready(place)
            place.state, place.moved = WORKING, now
        for tenant in dict.fromkeys(place.tenant for place in batch):
            if tenant in self._ready:
                self._ready.move_to_end(tenant)  # behind the others
        batch.sort(key=lambda place: place.number)
        return batch

    def end(self, place: Place) -> None:
        """Its place is free. A preparation that goes on keeps its own until it is done."""
        if place.state == WAITING:
            self._waiting.remove(place.tenant, place.key)
        elif place.state == PREPARED:
            self._unready(place)
        place.state, place.prepared, place.item = ENDED, None, None
        place.moved = monotonic()
        del self.held[place.tenant, place.key]
        self.room.give_back(place.tenant, 1)

    def _unready(self, place: Place) -> None:
        line = self._ready[place.tenant]
        del line[place]
        if not line:
            del self._ready[place.tenant]
        self._leave(place)

    def _leave(self, place: Place) -> None:
        """It is not prepared ahead any more."""
        less(self._ahead, place.tenant)
