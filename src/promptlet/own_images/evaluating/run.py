"""A classifier is asked about labelled images, and its answers are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.classifier import PromptLearner
from promptlet.classifier.inputs import as_names
from promptlet.classifier.labels import Classes
from promptlet.data import check_class_names
from promptlet.errors import DataError, check_option, listed
from promptlet.evaluation import accuracy, calibration_error, macro_f1, paired_difference, wilson
from promptlet.own_images.asking import ask
from promptlet.own_images.estimating.verdicts import guessing, too_few, worse_than_guessing, worse_than_names
from promptlet.own_images.evaluating.labelled import Labelled, labelled
from promptlet.own_images.evaluating.names_alone import zero_shot_answers
from promptlet.own_images.evaluating.result import Evaluation, Judged
from promptlet.own_images.keeping import keeping_features

PROMPT, DATA = "prompt", "data"
NAMES = (PROMPT, DATA)
BATCH = 128
"""Images that are asked about at a time; a stop loses no more than these."""


def evaluate(
    classifier: PromptLearner | str | Path,
    data: Any,
    labels: Iterable[Any] | None = None,
    *,
    class_names: Iterable[str] | None = None,
    names: str = PROMPT,
    part: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Judge a fitted classifier, or a prompt file, on labelled images.

    data: a folder with one folder of images per class, a table, a feature file, Hugging Face data; or what
    `PromptClassifier.score` takes: images or features with ``labels``, a data frame, pairs. part: which part
    of a path's data, train, val, test or all; None takes test images where there are any, else all.
    class_names: answer among these, taught or not; names="data" answers among those of the data.
    on_progress: called with (done, total) images.

    Labels may differ from the class names by "_", spaces and case. Images of other classes, and those that
    cannot be read, are left out and told. Raises DataError where no image is left.
    """
    if not isinstance(classifier, PromptLearner):
        classifier = PromptLearner.load(classifier)
    given = labelled(data, labels, part, classifier=classifier)
    asked = asked_names(classifier, given, class_names, names)
    own = _own_labels(given, asked)
    with keeping_features(classifier):
        rows, probabilities, wrong = _ask_all(classifier, given.sources, asked, on_progress)
        alone = zero_shot_answers(classifier, [given.sources[row] for row in rows], asked) if rows else None
    if not rows:
        raise DataError(
            f"{given.where}: none of the {len(own)} images could be read; {next(iter(wrong.values()))}"
        )
    return counted(given, asked, own, rows, probabilities, wrong, alone)


def _ask_all(
    classifier: PromptLearner,
    sources: Sequence[Any],
    names: tuple[str, ...],
    on_progress: Callable[[int, int], None] | None,
) -> tuple[list[int], np.ndarray, dict[int, str]]:
    """Rows that were answered, their probabilities (R, C), and by row why others were not."""

    def look(some: list[Any]) -> list[np.ndarray]:
        return list(classifier.predict_proba(some, class_names=names))

    found: dict[int, np.ndarray] = {}
    wrong: dict[int, str] = {}
    for start in range(0, len(sources), BATCH):
        rows, bad = ask(look, sources[start : start + BATCH])
        found |= {start + place: row for place, row in rows.items()}
        wrong |= {start + place: reason for place, reason in bad.items()}
        if on_progress is not None:
            on_progress(min(start + BATCH, len(sources)), len(sources))
    order = sorted(found)
    return order, np.stack([found[row] for row in order]) if order else np.zeros((0, len(names))), wrong


def asked_names(
    classifier: PromptLearner, given: Labelled, class_names: Iterable[str] | None, names: str
) -> tuple[str, ...]:
    """The names to answer among. Raises DataError where there are none."""
    check_option("names", names, NAMES)
    if class_names is not None and names == DATA:
        raise DataError("class_names and names='data' are two answers to one question; give one of them")
    if class_names is not None:
        return check_class_names(as_names(class_names), "class_names")
    if names == DATA:
        return check_class_names(given.class_names, given.where)
    if not classifier.class_names_:
        raise DataError(
            "this prompt was saved without class names; give them (class_names, --classes), or answer among "
            "those of the data (names='data', --names data)"
        )
    return tuple(classifier.class_names_)


def _own_labels(given: Labelled, asked: tuple[str, ...]) -> list[str]:
    """Each label as it is asked, where it is. Raises DataError where none is."""
    try:
        rows = Classes(np.array(asked), asked).rows_of(np.array(given.labels), None).tolist()
        return [asked[row] if row >= 0 else label for row, label in zip(rows, given.labels, strict=True)]
    except DataError as error:
        raise DataError(
            f"{given.where}: no image is of a class that is asked. Classes of the data: "
            f"{listed(given.class_names)}. Asked: {listed(asked)}. Give images of these, or answer among the "
            "names of the data (names='data', --names data)"
        ) from error


def counted(
    given: Labelled,
    asked: tuple[str, ...],
    own: list[str],
    rows: list[int],
    probabilities: np.ndarray,
    wrong: dict[int, str],
    alone: np.ndarray | None = None,
) -> Evaluation:
    """The numbers. own: labels (N,) as they are asked; rows: those with ``probabilities`` (R, C), and with
    ``alone`` (R,), the answers of the names alone."""
    place = {name: index for index, name in enumerate(asked)}
    best = probabilities.argmax(axis=1)
    judged = [
        Judged(
            given.names[row],
            own[row],
            asked[said],
            float(answer[said]),
            own[row] == asked[said] if own[row] in place else None,
            given.sources[row],
        )
        for row, said, answer in zip(rows, best.tolist(), probabilities, strict=True)
    ]
    known = np.array([one.right is not None for one in judged])
    images = tuple(one for one in judged if one.right is not None)
    if not images:
        raise DataError(f"{given.where}: no image of a class that is asked could be read")
    labels, said = np.array([place[one.label] for one in images]), best[known]
    counts = np.bincount(labels, minlength=len(asked))
    hits = int((labels == said).sum())
    low, high = wilson(hits, len(images))
    share, chance = accuracy(said, labels), 100.0 / len(asked)
    zero_shot, gain = _beside(alone if alone is None else alone[known], said, labels)
    majority = 100.0 * float(counts.max()) / len(images)
    unread = {given.names[row]: reason for row, reason in wrong.items()}
    unknown = Counter(name for name in own if name not in place)
    return Evaluation(
        data=given.where,
        part=given.part,
        class_names=asked,
        images=images,
        strangers=tuple(one for one in judged if one.right is None),
        unreadable=unread,
        unknown_classes=dict(unknown),
        missing_classes=tuple(name for name, count in zip(asked, counts, strict=True) if count == 0),
        accuracy=share,
        low=low,
        high=high,
        strict_accuracy=100.0 * hits / len(judged),
        macro_f1=macro_f1(said, labels, len(asked)),
        calibration_error=calibration_error(probabilities[known], labels),
        chance=chance,
        majority=majority,
        zero_shot=zero_shot,
        gain_low=gain[0],
        gain_high=gain[1],
        notes=_notes(given, share, low, high, guessing(chance, majority), zero_shot, gain[1]),
    )


def _notes(
    given: Labelled,
    share: float,
    low: float,
    high: float,
    guess: float,
    zero_shot: float | None,
    gain_high: float | None,
) -> tuple[str, ...]:
    told = (
        *given.notes,
        worse_than_guessing(share, guess),
        too_few(share, low, high, guess),
        worse_than_names(high, zero_shot) if gain_high is not None and gain_high < 0 else "",
    )
    return tuple(note for note in told if note)


def _beside(
    alone: np.ndarray | None, said: np.ndarray, labels: np.ndarray
) -> tuple[float | None, tuple[float | None, float | None]]:
    """The accuracy of the names alone, and the interval of how much better the prompt is on these images."""
    if alone is None:
        return None, (None, None)
    return accuracy(alone, labels), paired_difference(said == labels, alone == labels)
