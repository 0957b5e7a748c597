"""What is accepted and has not ended: whose turn it is, what goes together, and how much there is room for.

No thread and no clock is in here but the times that are noted. Whoever calls holds a lock.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Hashable, Mapping
from itertools import count
from time import monotonic
from typing import Any

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
    """``queue`` places at most, ``most_of_tenant`` of one tenant; 2 * ``most`` prepared or being prepared,
    and ``most`` in a batch."""

    def __init__(self, most: int, queue: int, most_of_tenant: int) -> None:
        self.most, self.queue, self.most_of_tenant = most, queue, most_of_tenant
        self.held: dict[tuple[str, Hashable], Place] = {}
        self.of_tenant: Counter[str] = Counter()
        self._waiting: OrderedDict[str, OrderedDict[Hashable, Place]] = OrderedDict()
        self._ready: OrderedDict[Place, Hashable] = OrderedDict()
        self._preparing = 0
        self._numbers = count()

    def has_room(self, tenant: str, more: int, beyond: int = 0) -> bool:
        """For so many; ``beyond``: of a caller who may have as many above the bounds."""
        return (
            len(self.held) + more <= self.queue + beyond
            and self.of_tenant[tenant] + more <= self.most_of_tenant + beyond
        )

    def ahead(self, tenant: str) -> int:
        """How many have their turn before the next one of ``tenant``."""
        mine = len(self._waiting.get(tenant, ()))
        others = (min(len(line), mine + 1) for name, line in self._waiting.items() if name != tenant)
        return len(self._ready) + self._preparing + mine + sum(others)

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
            self.of_tenant[tenant] += 1
            self._waiting.setdefault(tenant, OrderedDict())[key] = place
        places = [self.held[tenant, key] for key in items]
        for place in places:
            place.wanted += 1
        return places

    def prepare(self) -> Place | None:
        """The next to be prepared, of each tenant in turn; None where there is none, or enough is."""
        if self._preparing + len(self._ready) >= 2 * self.most or not self._waiting:
            return None
        tenant, line = self._waiting.popitem(last=False)
        _, place = line.popitem(last=False)
        if line:
            self._waiting[tenant] = line  # behind the others
        place.state = PREPARING
        self._preparing += 1
        return place

    def prepared(self, place: Place, prepared: Any, shape: Hashable) -> None:
        """It is, unless it ended meanwhile."""
        self._preparing -= 1
        if place.state != ENDED:
            place.state, place.prepared = PREPARED, prepared
            self._ready[place] = shape

    def unprepared(self) -> None:
        """One cannot be."""
        self._preparing -= 1

    def batch(self) -> list[Place]:
        """Of what is prepared, what goes together with the first, in the order of acceptance."""
        if not self._ready:
            return []
        shape = next(iter(self._ready.values()))
        batch = [place for place, own in self._ready.items() if own == shape][: self.most]
        batch.sort(key=lambda place: place.number)
        now = monotonic()
        for place in batch:
            del self._ready[place]
            place.state, place.moved = WORKING, now
        return batch

    def end(self, place: Place) -> None:
        """Its place is free. A preparation that goes on keeps its own until it is done."""
        if place.state == WAITING:
            line = self._waiting[place.tenant]
            del line[place.key]
            if not line:
                del self._waiting[place.tenant]
        self._ready.pop(place, None)
        place.state, place.prepared, place.item = ENDED, None, None
        place.moved = monotonic()
        del self.held[place.tenant, place.key]
        self.of_tenant[place.tenant] -= 1
        if not self.of_tenant[place.tenant]:
            del self.of_tenant[place.tenant]
