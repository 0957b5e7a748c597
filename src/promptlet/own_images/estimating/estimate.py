"""How often a prompt will be right on other images, found out from the images that were given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from promptlet.backbones import Backbone
from promptlet.classifier.fitting import Parameters
from promptlet.errors import DataError, PromptletError, check_option, listed
from promptlet.evaluation.confusion import Confused, confused_pairs, confusion_matrix
from promptlet.evaluation.weighted import weighted_accuracy, weights_of
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.inputs import of_logits
from promptlet.methods.many import best_of
from promptlet.methods.method import BY_STEPS, FEATURES
from promptlet.own_images.estimating.accuracy import accuracy_of
from promptlet.own_images.estimating.folds import ALWAYS_TAUGHT, make_folds
from promptlet.own_images.estimating.out_of_fold import OutOfFold, Validation, out_of_fold
from promptlet.own_images.estimating.undrawn import AS_MANY, ask_undrawn
from promptlet.own_images.estimating.verdicts import guessing, too_few, worse_than_guessing, worse_than_names
from promptlet.own_images.material import Material
from promptlet.training import EpochReport

CV, HOLDOUT, NONE, AUTO, UNDRAWN = "cv", "holdout", "none", "auto", "undrawn"
WAYS = (CV, HOLDOUT, NONE)
MOST_FOLDS, FEWER_FOLDS, PART = 10, 5, 4
"""Folds of a method that is made at once, and of one that is trained; a hold-out is one part of so many."""
SECONDS = 120.0
"""What folds that nobody asked for may cost, by what the training took."""
SECONDS_OF_ONE = 300.0
"""The same of one training more, where several cost too much."""
SHOWN_PAIRS = 5
NO_SECOND = "no class has 2 different photos, so none can be held back; give more images of each class"
ALL_COPIES = "all images are copies of one another; give different photos of each class"


@dataclass(frozen=True)
class Estimate:
    """Accuracy on images that were not taught, in percent, as far as those that were given tell it.

    way: "cv", "holdout", "undrawn" (of images that shots did not draw) or "none"; reason: why there is none,
    or why this way was taken. low, high: the interval that holds the accuracy on more such images in about 95
    of 100 cases (Wilson): of photos, of which copies count once, and wider for having come of several
    trainings, which overlap and differ. Classes count as often as they are among the images that were given,
    also where shots drew as many of each. images: how many were asked about. folds: trainings, 0 where
    nothing is learned for the estimate. chance: 100 / C. majority: the share of the largest class. zero_shot:
    of the same images, of names alone. confused: (class, said instead, how often, of how many). notes: what
    its reader should know, as sentences.
    """

    way: str
    reason: str = ""
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    images: int = 0
    folds: int = 0
    chance: float | None = None
    majority: float | None = None
    zero_shot: float | None = None
    confused: tuple[Confused, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {**asdict(self), "confused": [asdict(c) for c in self.confused], "notes": list(self.notes)}


@dataclass(frozen=True)
class Way:
    """How an estimate is made: cv, holdout, undrawn or none, in how many folds, and why."""

    way: str
    folds: int = 0
    reason: str = ""


def choose_way(asked: str, method: str, seconds: float) -> Way:
    """The way that was asked for; by ``auto`` the one that ``seconds``, of one training, allows.

    Raises OptionError for a word that is none.
    """
    check_option("estimate", asked, (AUTO, *WAYS))
    often = FEWER_FOLDS if METHODS[method].info.learns == BY_STEPS else MOST_FOLDS
    if asked != AUTO:
        return {CV: Way(CV, often), HOLDOUT: Way(HOLDOUT, PART), NONE: Way(NONE, 0, "it was not asked for")}[
            asked
        ]
    reads_features = METHODS[method].info.reads == FEATURES
    if reads_features and often * seconds <= SECONDS:
        return Way(CV, often)
    if seconds <= SECONDS_OF_ONE:
        why = "several trainings would take long" if reads_features else f"{method} trains on the images"
        return Way(HOLDOUT, PART, f"one hold-out, since {why}; --estimate cv takes {often} trainings")
    return Way(NONE, 0, f"it would take about {seconds:.0f} s more; --estimate holdout makes one")


def estimate(
    given: Parameters,
    backbone: Backbone,
    material: Material,
    way: Way,
    *,
    val: Validation | None = None,
    finish: Callable[[Method], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> tuple[Estimate, OutOfFold | None]:
    """The estimate, and the answers it is made of. Arguments as in `out_of_fold`; one hold-out is the first
    of its folds. What makes it impossible is its ``reason``, and no error."""
    if way.way == NONE:
        return Estimate(NONE, way.reason), None
    try:
        folds = usable_folds(material, _even(photos_of(material), way.folds))
    except DataError as error:
        return Estimate(NONE, str(error)), None
    only = int(folds[folds != ALWAYS_TAUGHT].min()) if way.way == HOLDOUT else None
    answers = out_of_fold(
        given,
        backbone,
        material,
        folds,
        only=only,
        val=val,
        finish=finish,
        on_progress=on_progress,
        on_epoch=on_epoch,
    )
    return of_answers(way, backbone, material, answers), answers


def usable_folds(material: Material, count: int) -> np.ndarray:
    """Folds over the images, no more than the largest class has photos.

    Raises DataError where nothing can be asked about: no class has two photos.
    """
    photos = photos_of(material)
    if max(photos, default=0) < 2:
        raise DataError(NO_SECOND)
    folds = make_folds(material.targets, material.groups, min(count, max(photos)))
    if not (folds >= 0).any():
        raise DataError(ALL_COPIES)
    return folds


def photos_of(material: Material) -> list[int]:
    """How many different photos each class has."""
    return [len(np.unique(material.groups[material.targets == c])) for c in range(len(material.class_names))]


def _even(photos: Sequence[int], most: int) -> int:
    """Of many folds, how many divide most of the classes evenly, the most of these: 8 of 10 where each has 16
    photos. A fold that takes two of one class and one of another leaves the first at a disadvantage with
    methods that count images, as Tip-Adapter does."""
    counts = range(most, min(FEWER_FOLDS, most) - 1, -1)
    return min(counts, key=lambda count: sum(own % count != 0 for own in photos))


def of_undrawn(
    method: Method, backbone: Backbone, rest: Material, seconds: float
) -> tuple[Estimate, OutOfFold]:
    """What images tell that ``method`` was not taught, after so many seconds of reading them; and its
    answers."""
    answers = ask_undrawn(method, backbone, rest)
    found = of_answers(Way(UNDRAWN), backbone, rest, answers)
    return replace(found, seconds=found.seconds + seconds), answers


def of_answers(way: Way, backbone: Backbone, material: Material, answers: OutOfFold) -> Estimate:
    """What out-of-fold answers tell."""
    asked, targets = answers.asked, material.targets
    accuracy, low, high = accuracy_of(answers, material, wider=AS_MANY if way.way == UNDRAWN else 1.0)
    matrix = confusion_matrix(targets[asked], answers.predicted[asked], len(material.class_names))
    found = Estimate(
        way=way.way,
        reason=way.reason,
        accuracy=accuracy,
        low=low,
        high=high,
        images=int(asked.sum()),
        folds=answers.trainings,
        chance=100.0 / len(material.class_names),
        majority=100.0 * float(material.shares.max()),
        zero_shot=zero_shot_accuracy(backbone, material, asked),
        confused=confused_pairs(matrix, material.class_names, SHOWN_PAIRS),
        seconds=answers.seconds,
    )
    return replace(found, notes=notes_of(found, material, answers))


def zero_shot_accuracy(backbone: Backbone, material: Material, asked: np.ndarray) -> float | None:
    """Of the class names alone, in percent; None where the backbone cannot tell them apart."""
    try:
        method = build_method("zero_shot", backbone, material.class_names)
    except PromptletError:
        return None
    rows = np.flatnonzero(asked)
    inputs, targets = material.feature_inputs(backbone, rows), material.targets[rows]
    hits = of_logits(best_of, method.scorer(), inputs, backbone.device).cpu().numpy() == targets
    return weighted_accuracy(hits, weights_of(targets, material.shares))[0]


def notes_of(found: Estimate, material: Material, answers: OutOfFold) -> tuple[str, ...]:
    """What the reader of an estimate should know, as sentences."""
    single = _without(material, answers.folds != ALWAYS_TAUGHT)
    never = [name for name in _without(material, answers.asked) if name not in single]
    guess = guessing(found.chance or 0.0, found.majority or 0.0)
    told = (
        _left_out("for want of a second photo", [] if found.way == UNDRAWN else single),
        _left_out("since none of their few images was held back", never),
        _left_out(
            "since no photo of them is left beside those drawn", single if found.way == UNDRAWN else []
        ),
        worse_than_guessing(found.accuracy, guess),
        too_few(found.accuracy, found.low, found.high, guess),
        worse_than_names(found.high, found.zero_shot),
    )
    return tuple(note for note in told if note)


def _left_out(why: str, names: Sequence[str]) -> str:
    return f"not in the estimate, {why}: {listed(names)}" if names else ""


def _without(material: Material, rows: np.ndarray) -> list[str]:
    """The class names of which no image is among ``rows``, (N,) bool."""
    return [name for i, name in enumerate(material.class_names) if not rows[material.targets == i].any()]
