"""Trainings one after the other, in a thread of their own."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from promptlet.errors import PromptletError, why
from promptlet.teach.learning.job import CANCELLED, DONE, ENDED, FAILED, Job, Stopped, behind_others
from promptlet.teach.learning.refusals import NotNowError

PATIENCE: Final = 1.0
"""Seconds that a training is given to end when it is cancelled."""
MOST_WAITING: Final = 100
UNEXPECTED: Final = (
    "something went wrong that nobody expected; the photos and what was learned before are as they were. The "
    "server's log says more; try again"
)
NO_MEMORY: Final = (
    "there is not memory enough for this training; the photos and what was learned before are as they were. "
    "Close other programs, or give fewer photos, then try again"
)
_logger = logging.getLogger("promptlet.teach")


class Turns:
    """work: trains, and raises Stopped where its job is cancelled. on_change: told of each job's changes."""

    def __init__(self, work: Callable[[Job], None], on_change: Callable[[Job], object]) -> None:
        self._work, self._on_change = work, on_change
        self._jobs: dict[str, Job] = {}
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self.running: Job | None = None

    def add(self, project: str, asked: Mapping[str, Any]) -> Job:
        """A training, which begins at once or waits for its turn. Raises NotNowError."""
        with self._lock:
            if self._is_closed:
                raise NotNowError("the server is being stopped; start it again, then train")
            former = self._jobs.get(project)
            if former is not None and former.state not in ENDED:
                raise NotNowError(
                    "this project is being trained already; wait for it, or cancel it first"
                ).keyed("training-already")
            if sum(job.state not in ENDED for job in self._jobs.values()) >= MOST_WAITING:
                raise NotNowError(f"{MOST_WAITING} trainings wait already; try again later")
            job = Job(project, asked, self._on_change)
            self._jobs[project] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="promptlet-training", daemon=True)
                self._thread.start()
        self._on_change(job)
        self._waiting.put(job)
        return job

    def of(self, project: str) -> Job | None:
        """The last one of a project since the server began."""
        with self._lock:
            return self._jobs.get(project)

    def cancel(self, project: str) -> Job | None:
        """None where none waits or runs."""
        job = self.of(project)
        if job is None or job.state in ENDED:
            return None
        job.stop(PATIENCE)
        return job

    def forget(self, project: str) -> None:
        """Of a project that is gone."""
        self.cancel(project)
        with self._lock:
            self._jobs.pop(project, None)

    def close(self, seconds: float) -> None:
        """All are cancelled; a thread that does not end in time is left behind."""
        with self._lock:
            self._is_closed = True
            jobs, thread = list(self._jobs.values()), self._thread
        for job in jobs:
            job.stop(0.0)
        self._waiting.put(None)
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        behind_others()
        while (job := self._waiting.get()) is not None:
            if job.begin():
                self.running = job
                try:
                    self._train(job)
                finally:
                    self.running = None

    def _train(self, job: Job) -> None:
        try:
            self._work(job)
        except Stopped:
            job.end(CANCELLED)
        except PromptletError as error:
            job.end(FAILED, str(error), error.key, **error.values)
        except MemoryError:
            job.end(FAILED, NO_MEMORY, "no-memory")
        except OSError as error:
            _logger.warning("the training of %r failed: %s", job.project, error)
            words = f"a file cannot be read or written ({why(error)}); look at the disk, then try again"
            job.end(FAILED, words, "disk", reason=why(error))
        except BaseException:
            _logger.exception("the training of %r failed", job.project)
            job.end(FAILED, UNEXPECTED, "unexpected")
        else:
            job.end(DONE)
