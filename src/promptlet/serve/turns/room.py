"""How much is accepted, of one tenant and of all, and how a refusal is told."""

from __future__ import annotations

from collections import Counter, deque

from promptlet.errors import BusyError

LEAST_RETRY, MOST_RETRY = 1.0, 60.0
"""Seconds after which it is worth asking again."""
KEPT_PACES = 9


class Room:
    """For ``most`` of something, of one tenant for ``tenant_share`` of it, and for ``least`` in any case.

    Whoever calls holds a lock, where there are several threads.
    """

    def __init__(self, most: int, tenant_share: float, least: int = 1) -> None:
        self.most, self.most_of_tenant = most, min(most, max(least, int(most * tenant_share)))
        self.held = 0
        self.of_tenant: Counter[str] = Counter()

    def has(self, tenant: str, more: int, beyond: int = 0) -> bool:
        """For so many; ``beyond``: of a caller who may have as many above the bounds."""
        return (
            self.held + more <= self.most + beyond
            and self.of_tenant[tenant] + more <= self.most_of_tenant + beyond
        )

    def take(self, tenant: str, count: int) -> None:
        """Whether or not there is room."""
        self.held += count
        self.of_tenant[tenant] += count

    def give_back(self, tenant: str, count: int) -> None:
        """They are held no more."""
        self.held -= count
        less(self.of_tenant, tenant, count)


class Pace:
    """Seconds for one of what was done of late."""

    def __init__(self) -> None:
        self._kept: deque[float] = deque(maxlen=KEPT_PACES)

    def add(self, seconds: float) -> None:
        self._kept.append(seconds)

    @property
    def seconds(self) -> float:
        """The middle one; 0 where nothing is known, as of a first one, which takes longer."""
        paces = sorted(self._kept)
        return paces[(len(paces) - 1) // 2] if len(paces) > 1 else 0.0


def less(counts: Counter[str], tenant: str, count: int = 1) -> None:
    """Of one tenant; who has none is forgotten."""
    counts[tenant] -= count
    if not counts[tenant]:
        del counts[tenant]


def busy(why: str, seconds: float) -> BusyError:
    """A refusal that says why, and when to ask again: in so many seconds, within bounds."""
    retry = min(MOST_RETRY, max(LEAST_RETRY, seconds))
    return BusyError(f"the server is busy: {why}; ask again in {retry:.0f} s", retry)
