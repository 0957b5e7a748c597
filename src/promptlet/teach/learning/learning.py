"""All that is learned of projects: the one place that routes ask."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np

from promptlet.backbones import Backbone
from promptlet.data import FeatureCache
from promptlet.errors import OptionError
from promptlet.serve.bank.listing import digest_of
from promptlet.teach.learning.archive import archive
from promptlet.teach.learning.asking import Prompts, nearest, suggestions
from promptlet.teach.learning.encoding import Encoding
from promptlet.teach.learning.exporting import export
from promptlet.teach.learning.job import Job
from promptlet.teach.learning.refusals import NotNowError, nothing_learned
from promptlet.teach.learning.results.answers import Answers, checked_answers, read_answers, write_answers
from promptlet.teach.learning.results.report import report_html
from promptlet.teach.learning.results.stored import checked_result
from promptlet.teach.learning.settings import checked
from promptlet.teach.learning.training import Bench, check_enough, train
from promptlet.teach.learning.turns import Turns
from promptlet.teach.learning.vectors import Vectors, paths_of
from promptlet.teach.projects.shelf import Shelf

TRAINING: Final = "training"
PATIENCE: Final = 2.0
"""Seconds that trainings and encodings are given to end with the server."""
ANSWER_SECONDS: Final = 1.0
"""That who asks waits for images that are not encoded yet; others are answered later."""
_logger = logging.getLogger("promptlet.teach")
OnEvent = Callable[[str, str, dict[str, Any]], object]


class Learning:
    """Trainings one after the other, images encoded meanwhile, and what prompts say. For any thread.

    cache: of the library, None for none. on_event: told (project, name, data) of ``training`` and
    ``encoding``, from any thread. saved: told, in the thread of trainings, whose prompt file is another one.
    is_asked: whether somebody waits for an answer, before which no image is encoded ahead.
    """

    def __init__(
        self,
        shelf: Shelf,
        backbone: Backbone,
        *,
        cache: FeatureCache | None = None,
        on_event: OnEvent = lambda _project, _name, _data: None,
        saved: Callable[[str], object] = lambda _project: None,
        is_asked: Callable[[], bool] = lambda: False,
    ) -> None:
        self._shelf, self._on_event = shelf, on_event
        self._vectors = Vectors(backbone, cache)
        self._prompts = Prompts(backbone)
        self._bench = Bench(shelf, self._vectors, cache, saved)
        self._turns = Turns(self._train, lambda job: on_event(job.project, TRAINING, job.facts()))
        self._encoding = Encoding(
            shelf, self._vectors, lambda: self._turns.running is not None or is_asked(), on_event
        )
        self._exporting = threading.Lock()

    # -- trainings -------------------------------------------------------------------------------------

    def train(self, project: str, asked: Mapping[str, Any]) -> Job:
        """Begin a training, or let it wait for its turn. asked: method, rank, shots, schedule, in the place
        of the project's settings. Raises UnknownProjectError, OptionError, NotNowError."""
        seen = self._shelf.get(project).seen()
        checked(seen.settings, asked)
        check_enough(seen)
        return self._turns.add(project, {**seen.settings, **asked})

    def _train(self, job: Job) -> None:
        train(self._bench, checked({}, job.asked), job)

    def cancel(self, project: str) -> Job | None:
        """Stop the training of a project, within a second or two; None where none waits or runs."""
        return self._turns.cancel(project)

    def forget(self, project: str) -> None:
        """Of a project that is deleted."""
        self._turns.forget(project)

    def training(self, project: str) -> dict[str, Any] | None:
        """The facts of its last training in this server; None where there was none."""
        job = self._turns.of(project)
        return None if job is None else job.facts()

    # -- images ----------------------------------------------------------------------------------------

    def changed(self, project: str) -> None:
        """Images came or went: those that are new are encoded in the background."""
        self._encoding.want(project)

    def encoded(self, project: str) -> tuple[int, int]:
        """How many of its images are encoded, or cannot be, and how many there are; the others will be."""
        images = list(self._shelf.get(project).seen().images)
        missing = len(self._vectors.missing(images))
        if missing:
            self._encoding.want(project)
        return len(images) - missing, len(images)

    # -- what prompts say ------------------------------------------------------------------------------

    def result(self, project: str) -> dict[str, Any] | None:
        """Of the last training; None where there was none, or the prompt is another one by now."""
        found = self._shelf.get(project).result()
        if found is None or found.get("digest") != self._digest(project):
            return None
        try:
            return checked_result(found)
        except OptionError as error:  # changed by hand, or of another version
            _logger.warning("the result of %r is left out: %s", project, error)
            return None

    def _digest(self, project: str) -> str:
        """Of its prompt file; empty where there is none."""
        try:
            return digest_of(self.prompt(project).read_bytes())
        except OSError:
            return ""

    def suggestions(self, project: str, limit: int) -> list[dict[str, Any]]:
        """What the prompt says of images without a class, the most doubtful first. Raises NotNowError."""
        seen = self._shelf.get(project).seen()
        self._vectors.ready(paths_of(seen, seen.unlabelled), ANSWER_SECONDS)
        return suggestions(self._prompts, self.prompt(project), seen, self._vectors, limit)

    def nearest(self, project: str, features: np.ndarray) -> list[dict[str, Any]]:
        """The taught images that are nearest to features (D,)."""
        seen = self._shelf.get(project).seen()
        taught = [image for one in seen.classes for image in one.images]
        self._vectors.ready(paths_of(seen, taught), ANSWER_SECONDS)
        return nearest(features, seen, self._vectors)

    # -- what is taken away ----------------------------------------------------------------------------

    def prompt(self, project: str) -> Path:
        """The prompt file, which need not be there. Raises UnknownProjectError."""
        self._shelf.get(project)
        return self._shelf.prompt_path(project)

    def put(self, project: str) -> None:
        """Another prompt lies there, which no training of the project made."""
        self._shelf.get(project).keep_result(None)

    def put_result(self, project: str, result: object, answers: object) -> bool:
        """What a training elsewhere found out about the prompt that lies there; whether the answers, of which
        a report is made, could be taken too. Raises OptionError for what is none, NotNowError for what is of
        another prompt."""
        found, own = checked_result(result), self._shelf.get(project)
        with own.lock:
            if found["digest"] != self._digest(project):
                raise NotNowError(
                    "this result is of another prompt file than the one that lies here; put that one first"
                ).keyed("result-other")
            said = _answers_of(found["digest"], answers)
            if said is not None:
                write_answers(own.root, said)
            own.keep_result(found)
            return said is not None

    def archive(self, project: str) -> Iterator[bytes]:
        """A zip of the project, in pieces."""
        found = self._shelf.get(project)
        return archive(found.seen, self._shelf.prompt_path(project))

    def report(self, project: str) -> str:
        """One HTML page on the last training. Raises NothingLearnedError, NotNowError."""
        seen, result = self._shelf.get(project).seen(), self.result(project)
        if result is None:
            raise nothing_learned()
        answers = read_answers(seen.root)
        is_own = answers is not None and answers.digest == result["digest"]
        return report_html(seen, result, answers if is_own else None)

    def export(self, project: str, to: str) -> Path:
        """A file of class vectors, or a zip of a folder of graphs, one after the other; whoever asked removes
        its folder. Raises NothingLearnedError, ExportError, MissingExtraError."""
        with self._exporting:
            return export(self.prompt(project), to, self._vectors.backbone)

    def close(self) -> None:
        """Nothing goes on behind this; what does not end within a second or two is left behind."""
        until = monotonic() + PATIENCE
        self._turns.close(max(0.0, until - monotonic()))
        self._encoding.close(max(0.0, until - monotonic()))


def _answers_of(digest: str, given: object) -> Answers | None:
    """None where there are none, or they are of another prompt, or no answers."""
    try:
        found = None if given is None else checked_answers(given)
    except OptionError:
        return None
    return found if found is not None and found.digest == digest else None
