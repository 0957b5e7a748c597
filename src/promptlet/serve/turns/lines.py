"""What waits, in a line for each tenant, who take turns. Whoever calls holds a lock."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class Lines(Generic[T]):
    """Each line in the order in which it was joined; the tenants in that of their turns."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, OrderedDict[Hashable, T]] = OrderedDict()

    def add(self, tenant: str, key: Hashable, one: T) -> None:
        """At the end of the tenant's line, unless it is in there."""
        self._lines.setdefault(tenant, OrderedDict()).setdefault(key, one)

    def remove(self, tenant: str, key: Hashable) -> None:
        """Where it is in there."""
        line = self._lines.get(tenant)
        if line is not None and line.pop(key, None) is not None and not line:
            del self._lines[tenant]

    def next(self, may: Callable[[str], bool]) -> tuple[str, T] | None:
        """The first of the first tenant who may, who is then behind the others; None where none may."""
        tenant = next(filter(may, self._lines), None)
        if tenant is None:
            return None
        line = self._lines.pop(tenant)
        _, one = line.popitem(last=False)
        if line:
            self._lines[tenant] = line
        return tenant, one

    def lengths(self) -> Counter[str]:
        """By tenant."""
        return Counter({tenant: len(line) for tenant, line in self._lines.items()})

    def before(self, tenant: str, may: Callable[[str], bool]) -> list[T]:
        """What has its turn before one who joins the tenant's line now, of the tenants who may."""
        mine = list(self._lines.get(tenant, {}).values())
        others = [line for other, line in self._lines.items() if other != tenant and may(other)]
        return mine + [one for line in others for one in islice(line.values(), len(mine) + 1)]

    def __iter__(self) -> Iterator[T]:
        return (one for line in self._lines.values() for one in line.values())
