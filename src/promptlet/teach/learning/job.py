"""A training as its askers see it: how far it is, how it ended, and how it is stopped."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, Final

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
ENDED: Final = (DONE, FAILED, CANCELLED)
LOOKING, ENCODING, CHOOSING, TRAINING = "looking", "encoding", "choosing", "training"
ESTIMATING, CHECKING, SAVING = "estimating", "checking", "saving"
STAGES: Final = (LOOKING, ENCODING, CHOOSING, TRAINING, ESTIMATING, CHECKING, SAVING)
NICE: Final = 10
STEP: Final = 0.2
"""Seconds between two that are told of one stage."""


def behind_others() -> None:
    """This thread, and those it begins, compute when others have nothing to do: who asks comes first."""
    if sys.platform == "linux":  # elsewhere only a whole process can
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


class Stopped(BaseException):
    """A training was cancelled, or the server ends: no Exception, for it is forgiven nowhere on its way."""


class Job:
    """One training of a project. For any thread; `tell` and `saving` are for the one that trains.

    asked: method, rank, shots, schedule. on_change: told of each, from any thread. after: seconds that the
    stages behind this one will take, as far as that is known.
    """

    def __init__(
        self, project: str, asked: Mapping[str, Any], on_change: Callable[[Job], object] = lambda _job: None
    ) -> None:
        self.project, self.asked = project, dict(asked)
        self.id = secrets.token_hex(8)
        self.state, self.stage, self.word = WAITING, LOOKING, ""
        self.done = self.total = 0
        self.error: str | None = None
        self.error_key, self.error_values = "", dict[str, Any]()
        self.after: float | None = None
        self.over = threading.Event()
        self._on_change = on_change
        self._stop = threading.Event()
        self._lock = threading.RLock()
        self._began = self._stage_began = monotonic()
        self._ended: float | None = None
        self._told = 0.0

    @property
    def seconds(self) -> float:
        """That it took so far, or altogether; of one that waits, how long it does."""
        return (self._ended or monotonic()) - self._began

    @property
    def seconds_left(self) -> float | None:
        """None while nothing is known of it."""
        if self.state != RUNNING or not self.total or not self.done or self.after is None:
            return None
        spent = monotonic() - self._stage_began
        return round(spent * (self.total - self.done) / self.done + self.after, 1)

    def facts(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        with self._lock:
            return {
                "id": self.id,
                "state": self.state,
                "stage": self.stage,
                "done": self.done,
                "total": self.total,
                "word": self.word,
                "seconds": round(self.seconds, 1),
                "seconds_left": self.seconds_left,
                "error": self.error,
                "error_key": self.error_key,
                "error_values": self.error_values,
            }

    # -- of the thread that trains ---------------------------------------------------------------------

    def begin(self) -> bool:
        """Its turn has come; False where it was cancelled before."""
        with self._lock:
            if self.state != WAITING:
                return False
            self.state, self._began = RUNNING, monotonic()
            self._stage_began = self._began
        self._on_change(self)
        return True

    def check(self) -> None:
        """Raises Stopped where it is to end."""
        if self._stop.is_set():
            raise Stopped

    def tell(self, stage: str, done: int = 0, total: int = 0, word: str = "") -> None:
        """How far it is. Raises Stopped where it is to end: every long piece of work calls this often."""
        self.check()
        now = monotonic()
        with self._lock:
            is_new = stage != self.stage
            if is_new:
                self._stage_began = now
            self.stage, self.done, self.total, self.word = stage, done, total, word
            if not is_new and done < total and now - self._told < STEP:
                return
            self._told = now
        self._on_change(self)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Inside it cannot be cancelled any more. Raises Stopped where it was before."""
        with self._lock:
            self.check()
            yield

    def end(self, state: str, error: str | None = None, key: str = "", **values: Any) -> None:
        """Once; what ends behind that changes nothing. key, values: by which a page says the error."""
        with self._lock:
            if self.state in ENDED:
                return
            self.state, self.error, self._ended = state, error, monotonic()
            self.error_key, self.error_values = key, values
            self.over.set()
        self._on_change(self)

    # -- of others -------------------------------------------------------------------------------------

    def stop(self, patience: float) -> None:
        """Cancel it. One that waits has ended at once; one that runs is given so many seconds, and is then
        told as cancelled all the same: it saves nothing any more."""
        with self._lock:
            self._stop.set()
            if self.state == WAITING:
                self.end(CANCELLED)
        if not self.over.wait(patience):
            self.end(CANCELLED)
