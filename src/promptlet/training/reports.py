"""What a training tells of itself: one report an epoch, and the whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EpochReport:
    """One epoch, counted from 1. loss: mean over its steps; accuracy: percent of the images seen in it,
    by the prompt as it was at each step; seconds: of this epoch alone."""

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    lr: float
    seconds: float


@dataclass(frozen=True)
class TrainingResult:
    """history: one report an epoch; text_passes: forward-and-backward passes of the text tower.

    seconds_around: of what a method does before the first epoch and after the last, such as a search.
    """

    history: tuple[EpochReport, ...]
    text_passes: int
    seconds_around: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of all epochs together, and of what stands around them."""
        return sum(report.seconds for report in self.history) + self.seconds_around
