"""What a bank counts, for whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class BankMeters(Protocol):
    """Takes numbers from any thread."""

    def prompts(self, by_state: Mapping[str, int]) -> None:
        """How many there are now: ready, broken, being written."""

    def class_features(self, came_from: str) -> None:
        """An answerer was asked for and came from memory, disk, or computed."""

    def class_features_bytes(self, held: int) -> None:
        """What answerers take in memory now."""


class NoMeters:
    """Nobody looks."""

    def prompts(self, by_state: Mapping[str, int]) -> None: ...

    def class_features(self, came_from: str) -> None: ...

    def class_features_bytes(self, held: int) -> None: ...
