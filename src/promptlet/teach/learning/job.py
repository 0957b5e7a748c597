"""A training as its askers see it: how far it is, how it ended, and how it is stopped."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
ENDED = (DONE, FAILED, CANCELLED)
LOOKING, ENCODING, CHOOSING, TRAINING = "looking", "encoding", "choosing", "training"
ESTIMATING, CHECKING, SAVING = "estimating", "checking", "saving"
STAGES = (LOOKING, ENCODING, CHOOSING, TRAINING, ESTIMATING, CHECKING, SAVING)


class Stopped(BaseException):
    """A training was cancelled, or the server ends. No code that forgives errors forgives this."""


@dataclass(eq=False)
class Job:
    """One training of a project. told: called after each change, from any thread."""

    project: str
    asked: dict[str, Any]
    told: Callable[[Job], None]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: str = WAITING
    stage: str = LOOKING
    done: int = 0
    total: int = 0
    word: str = ""
    error: str | None = None
    began: float = field(default_factory=monotonic)
    ended: float | None = None
    seconds_left: float | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        """Whether nothing of it will change."""
        return self.state in ENDED

    def facts(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "id": self.id,
            "state": self.state,
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "word": self.word,
            "seconds": round((self.ended or monotonic()) - self.began, 1),
            "seconds_left": self.seconds_left,
            "error": self.error,
        }
