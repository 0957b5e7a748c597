"""What a bank counts, for whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class BankMeters(Protocol):
    """Takes numbers from any thread."""

    def counted(self, by_state: Mapping[str, int]) -> None:
        """How many there are now: ready, broken, being written."""

    def made(self, came_from: str) -> None:
        """An answerer was asked for and came from memory, disk, or computed."""

    def holds(self, held: int) -> None:
        """What answerers take in memory now."""


class NoMeters:
    """Nobody looks."""

    def counted(self, by_state: Mapping[str, int]) -> None: ...

    def made(self, came_from: str) -> None: ...

    def holds(self, held: int) -> None: ...
