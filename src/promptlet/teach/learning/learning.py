"""All that is learned of projects: the one place that routes ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from promptlet.teach.learning.job import Job


class Learning:
    """Trainings one after the other, images encoded meanwhile, and what prompts say. For any thread.

    A skeleton: what each gives is described; it is not there yet.
    """

    def train(self, project: str, asked: dict[str, Any]) -> Job:
        """Begin a training, or let it wait. asked: method, rank, shots, schedule, each or None."""
        raise NotImplementedError

    def cancel(self, project: str) -> Job | None:
        """Stop the training of a project; None where there is none to stop."""
        raise NotImplementedError

    def training(self, project: str) -> dict[str, Any] | None:
        """The facts of its last training in this server, for the state; None where there was none."""
        raise NotImplementedError

    def changed(self, project: str) -> None:
        """Images came or went: those that are new are encoded in the background."""
        raise NotImplementedError

    def encoded(self, project: str) -> tuple[int, int]:
        """How many of its images are encoded, and how many there are."""
        raise NotImplementedError

    def result(self, project: str) -> dict[str, Any] | None:
        """Of the last training."""
        raise NotImplementedError

    def suggestions(self, project: str, limit: int) -> list[dict[str, Any]]:
        """What the prompt says of images without a class, the most doubtful first."""
        raise NotImplementedError

    def nearest(self, project: str, features: np.ndarray) -> list[dict[str, Any]]:
        """The taught images that are nearest to features (D,)."""
        raise NotImplementedError

    def prompt(self, project: str) -> Path:
        """The prompt file, which need not be there."""
        raise NotImplementedError

    def archive(self, project: str) -> Iterator[bytes]:
        """A zip of the project, in pieces."""
        raise NotImplementedError

    def report(self, project: str) -> str:
        """One HTML page on the last training."""
        raise NotImplementedError

    def export(self, project: str, to: str) -> Path:
        """A file of class vectors, or a zip of a folder; whoever asked removes its folder."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing goes on behind this, but for a second or two."""
        raise NotImplementedError
