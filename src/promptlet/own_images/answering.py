"""Many images through a classifier: whatever one of them raises is its own reason, and the others go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from promptlet.classifier.answers.deciding import Answer, Rule, decide
from promptlet.own_images.asking import ask
from promptlet.web.loading import Loader, is_address

BATCH, MOST = 32, 512
"""Images that are answered at a time, at first and at most; a stop loses no more than these."""
QUICK = 2.0
"""Seconds. A batch that took less is followed by one of twice as many images: those of a batch are decoded
while others of it are encoded."""


class Answering(Protocol):
    """Who is asked: a `PromptLearner`, or a `promptlet.runtime.Classifier`."""

    def predict_proba(self, images: Any, class_names: Iterable[str] | None = None) -> np.ndarray:
        """Probabilities (N, C)."""

    def answer(
        self, images: Any, class_names: Iterable[str] | None = None, *, accepted: bool | float = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same, and which images (N,) are like those that taught."""


@dataclass(frozen=True)
class Answered:
    """A batch: answers, reasons by path where there are none, and how many images were looked at so far."""

    answers: tuple[Answer, ...]
    errors: dict[str, str]
    done: int


def answer_all(
    classifier: Answering,
    paths: Sequence[str],
    names: tuple[str, ...],
    rule: Rule,
    load: Loader | None = None,
) -> Iterator[Answered]:
    """Answers in batches, in the order of ``paths``; nothing is kept of those before.

    load: gets what lies at addresses; without it, they are paths like others.
    Raises PromptletError for what is expected, is of no image, and meets them all: a backbone that answers
    no numbers, say.
    """
    start, size = 0, BATCH
    while start < len(paths):
        batch, began = paths[start : start + size], perf_counter()
        if load is not None and any(map(is_address, batch)):
            with load.together(batch) as (files, missed):
                rows, wrong = rows_of(classifier, list(files.values()), names, rule.accept)
                rows = {path: rows[file] for path, file in files.items() if file in rows}
                wrong = {
                    path: wrong[file].replace(file, path) for path, file in files.items() if file in wrong
                }
            wrong |= missed
        else:
            rows, wrong = rows_of(classifier, batch, names, rule.accept)
        start += len(batch)
        size = next_size(size, perf_counter() - began)
        answers = tuple(
            decide(path, rows[path].probabilities, names, rule, rows[path].is_accepted)
            for path in batch
            if path in rows
        )
        yield Answered(answers, {path: wrong[path] for path in batch if path in wrong}, start)


def next_size(size: int, seconds: float) -> int:
    """How many images are next, after ``size`` took so long."""
    return min(2 * size, MOST) if seconds < QUICK else size


@dataclass(frozen=True)
class Row:
    """Of one image: probabilities (C,), and whether it is like those that taught, where that is asked."""

    probabilities: np.ndarray
    is_accepted: bool = True


def rows_of(
    classifier: Answering,
    paths: Sequence[str],
    names: tuple[str, ...],
    accept: bool | float | None = None,
) -> tuple[dict[str, Row], dict[str, str]]:
    """A row for each image, and reasons by path.

    accept: as in `Rule`. Raises as `answer_all`.
    """

    def look(some: list[str]) -> list[Row]:
        if accept is None:
            return [Row(row) for row in classifier.predict_proba(some, class_names=names)]
        probabilities, accepted = classifier.answer(some, names, accepted=accept)
        return [Row(row, bool(one)) for row, one in zip(probabilities, accepted, strict=True)]

    found, wrong = ask(look, paths)
    rows = {paths[place]: row for place, row in found.items()}
    return rows, {paths[place]: reason for place, reason in wrong.items()}
