"""The work of `promptlet predict`: what is asked and of whom, what is left of it, all images through it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from promptlet.cli.predict.checks import Form
from promptlet.cli.predict.giving import Count, Giver
from promptlet.cli.shell import bars, warn
from promptlet.cli.streams import is_terminal
from promptlet.errors import with_path

if TYPE_CHECKING:
    from promptlet.data import FeatureCache
    from promptlet.own_images.answering import Answered
    from promptlet.own_images.written.answers import AnswerFile
    from promptlet.web.loading import Loader


@dataclass(frozen=True)
class Question:
    """What is asked of each image. names: other classes than the prompt's own; top: how many are told; wide:
    the probabilities of all are wanted; accept: the percentage of own images to pass, where ``reject``
    does not leave it to the prompt."""

    names: tuple[str, ...] | None
    new_names: str | None
    top: int
    wide: bool
    threshold: float | None
    reject: bool
    accept: float | None


class Asked(Protocol):
    """Who is asked. names: among which it answers; cache: of features that were looked up."""

    names: tuple[str, ...]
    cache: FeatureCache | None

    def made_with(self) -> dict[str, Any]:
        """What answers depend on, beside their form: those of one file have it in common."""

    def answers(self, paths: Sequence[str], loader: Loader | None) -> Iterator[Answered]:
        """Of these images, in batches."""


def left_of(written: AnswerFile, paths: Sequence[str], resume: bool, count: Count) -> list[str]:
    """The images that the file has no answer of, with the file open for more; one that is begun anew is
    opened only with the first answer, so that nothing is lost before.

    Two paths that would stand in the file alike could not be told apart there: only the first is asked.
    """
    answered = frozenset[str]()
    if resume and written.is_there:
        written.check()
        answered = written.go_on()
    elif resume:
        warn(f"note: there is no {written.path} yet; it is begun")
    count.before = len(answered)
    left: dict[str, str] = {}
    for path in paths:
        key = written.key(path)
        if key in left:
            count.errors[path] = f"{path}: looks like another path in {written.path}; give it another name"
            warn(f"error: {count.errors[path]}")
        elif key not in answered:
            left[key] = path
    done = len(paths) - len(left)
    if answered and done:
        warn(
            f"note: {done:,} of {len(paths):,} images are in {written.path} already; they are not asked again"
        )
    return list(left.values())


def ask_all(batches: Iterable[Answered], giver: Giver, count: Count, total: int, form: Form) -> None:
    """Give every batch as it comes, tell what is wrong, and show how far it is.

    Lines on a terminal show that by themselves, and a bar would stand among them.
    """
    is_quiet = form.json or (form.out is None and is_terminal(sys.stdout))
    began = perf_counter()
    with bars(off=is_quiet) as shown:
        for batch in batches:
            if batch.answers:
                giver.add(batch.answers)
            count.take(batch.answers)
            count.errors |= batch.errors
            count.seconds = perf_counter() - began
            for path, error in batch.errors.items():
                shown.line(f"error: {with_path(path, error)}")
            if total > len(batch.answers) + len(batch.errors):
                shown.show("predicting", batch.done, total, f"{count.rate:,.0f} images/s")
