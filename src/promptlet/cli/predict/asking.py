"""The work of `promptlet predict`: what is left to be asked, the classifier, and all images through it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from promptlet.cli.predict.checks import Form
from promptlet.cli.predict.giving import Count, Giver
from promptlet.cli.predict.words import tell_new
from promptlet.cli.shell import bars, warn
from promptlet.cli.streams import is_terminal
from promptlet.errors import with_path

if TYPE_CHECKING:
    from promptlet.classifier import PromptLearner
    from promptlet.data import FeatureCache
    from promptlet.own_images.answering import Answered
    from promptlet.own_images.written.answers import AnswerFile


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


def load(
    file: Path,
    backbone: str | None,
    device: str | None,
    dtype: str | None,
    cache: FeatureCache | None,
    names: tuple[str, ...],
    new_names: str | None,
) -> PromptLearner:
    """The classifier, and what is to be said of it."""
    from promptlet.classifier import PromptLearner

    classifier = PromptLearner.load(file, backbone, device, dtype=dtype)
    classifier.cache = cache or False
    classifier.choose_new_names(new_names)
    tell_new(file, classifier, names, new_names)
    for note in classifier.backbone_.notes((), names) if classifier.method_.reads_names else ():
        warn(f"note: {note}")
    return classifier


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
