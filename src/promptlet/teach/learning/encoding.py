"""New images encoded in the background, a few at a time, while nobody asks and nothing is trained."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from promptlet.errors import PromptletError
from promptlet.teach.learning.job import behind_others
from promptlet.teach.learning.vectors import FIRST, Vectors, next_size, paths_of
from promptlet.teach.projects.project import Seen
from promptlet.teach.projects.shelf import Shelf

STEP: Final = 0.25
"""Seconds between two events, and in which it is looked whether somebody asks still."""
PATIENCE: Final = 5.0
"""Seconds after which a few images are encoded all the same."""
ENCODING: Final = "encoding"
_logger = logging.getLogger("promptlet.teach")
OnEvent = Callable[[str, str, dict[str, Any]], object]


class Encoding:
    """is_busy: whether somebody asks, or a training goes on, who come first. on_event: told
    ``encoding {"done", "total"}`` of projects. For any thread."""

    def __init__(
        self, shelf: Shelf, vectors: Vectors, is_busy: Callable[[], bool], on_event: OnEvent
    ) -> None:
        self._shelf, self._vectors = shelf, vectors
        self._is_busy, self._on_event = is_busy, on_event
        self._wanted: dict[str, bool] = {}
        self._is_wanted = threading.Condition()
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._told = 0.0

    def want(self, project: str) -> None:
        """Encode what is new in a project, as soon as there is time."""
        with self._is_wanted:
            if self._is_closed.is_set():
                return
            self._wanted[project] = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="promptlet-encoding", daemon=True)
                self._thread.start()
            self._is_wanted.notify()

    def close(self, seconds: float) -> None:
        """What is being encoded is finished, and nothing more."""
        with self._is_wanted:
            self._is_closed.set()
            self._is_wanted.notify()
            thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        behind_others()
        while True:
            with self._is_wanted:
                self._is_wanted.wait_for(lambda: bool(self._wanted) or self._is_closed.is_set())
                if self._is_closed.is_set():
                    return
                project = next(iter(self._wanted))
                del self._wanted[project]
            try:
                self._encode(project)
            except (PromptletError, OSError, KeyError) as error:
                _logger.info("images of %r are not encoded ahead: %s", project, error)
            except Exception:
                _logger.exception("images of %r are not encoded ahead", project)

    def _encode(self, project: str) -> None:
        size = FIRST
        seen = self._shelf.get(project).seen()
        missing = self._vectors.missing(list(seen.images))
        while missing and not self._is_closed.is_set():
            self._give_way()
            began = monotonic()
            some = missing[:size]
            self._vectors.read(paths_of(seen, some))
            size = next_size(size, monotonic() - began)
            del missing[: len(some)]
            if project in self._wanted or not missing:  # others came, or some went, meanwhile
                with self._is_wanted, suppress(KeyError):
                    del self._wanted[project]
                seen = self._shelf.get(project).seen()
                failed = set(some)
                missing = [one for one in self._vectors.missing(list(seen.images)) if one not in failed]
            self._tell(seen, missing)

    def _give_way(self) -> None:
        """To who asks and to trainings, but not for ever: a camera asks all the time."""
        until = monotonic() + PATIENCE
        while self._is_busy() and monotonic() < until and not self._is_closed.is_set():
            self._is_closed.wait(STEP)

    def _tell(self, seen: Seen, missing: list[str]) -> None:
        now = monotonic()
        if missing and now - self._told < STEP:
            return
        self._told = now
        total = len(seen.images)
        self._on_event(seen.id, ENCODING, {"done": total - len(missing), "total": total})
