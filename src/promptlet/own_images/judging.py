"""What the images that a classifier was taught tell about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from promptlet.classifier import PromptLearner
from promptlet.classifier.files import round_method
from promptlet.classifier.fitting import draw_of, schedule_of, validation, views_of, whole
from promptlet.classifier.reading import Reader
from promptlet.data.images.opening import content_hashes
from promptlet.data.items import SPLIT_NAMES
from promptlet.errors import ImageError, PromptletError
from promptlet.methods import METHODS
from promptlet.methods.method import FEATURES
from promptlet.own_images.checking.brief import notes_of
from promptlet.own_images.estimating.estimate import (
    AUTO,
    NONE,
    Estimate,
    Way,
    choose_way,
    estimate,
    of_undrawn,
)
from promptlet.own_images.estimating.out_of_fold import OutOfFold, Validation
from promptlet.own_images.estimating.undrawn import read_undrawn
from promptlet.own_images.material import Material, read_material
from promptlet.own_images.parts import Part
from promptlet.reasons import reason_of
from promptlet.training import EpochReport
from promptlet.views import Views

NOT_ASKED = "images that --shots did not draw were not asked (--skip-bad leaves out what cannot be read)"
ANEW = "of trainings that begin anew: the prompt that this one goes on from may have been taught these images"


@dataclass(frozen=True, eq=False)
class Judged:
    """estimate: of the accuracy on other images. findings: what is odd about the images, as sentences."""

    estimate: Estimate
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Asked:
    """An estimate, the images that were asked about, and what was said of each; None where none was."""

    estimate: Estimate
    material: Material
    answers: OutOfFold | None


def judge(
    classifier: PromptLearner,
    parts: Mapping[str, Part],
    precision: str | None,
    asked: str,
    seconds: float,
    tell: Callable[[str, int, int, str], None],
    where: str,
) -> Judged:
    """The estimate of a fitted classifier, over the images that it was given. seconds: of its training.
    where: what `promptlet check` is to be given."""
    train, val, test = (parts[name] for name in SPLIT_NAMES)
    way = way_of(classifier, asked, seconds)
    material = taught_material(classifier, train)

    def on_progress(done: int, total: int) -> None:
        tell("estimating", done, total, "")

    found = ask_others(classifier, train, val, material, precision, asked, seconds, on_progress)
    return Judged(found.estimate, findings(classifier, material, test, way.way != NONE, where))


def ask_others(
    classifier: PromptLearner,
    train: Part,
    val: Part,
    material: Material,
    precision: str | None,
    asked: str,
    seconds: float,
    on_progress: Callable[[int, int], None],
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> Asked:
    """The estimate of a fitted classifier by images that it was not taught: those that its shots did not
    draw, or else those of folds. material: what it was taught. on_epoch: of each training; what it raises
    ends them."""
    way = way_of(classifier, asked, seconds)
    try:
        found = _by_undrawn(classifier, train, material, on_progress) if asked == AUTO else None
    except ImageError as error:
        found, way = None, _because(way, f"{NOT_ASKED}: {reason_of(error)}")
    return found or _by_folds(classifier, material, way, val, precision, on_progress, on_epoch)


def _by_undrawn(
    classifier: PromptLearner, train: Part, material: Material, on_progress: Callable[[int, int], None]
) -> Asked | None:
    """By images that its shots did not draw; None where they are too few, or it may have been taught them.
    Raises ImageError for one that cannot be read."""
    shots, seed = draw_of(classifier)
    if shots is None or classifier.start_from is not None:
        return None
    began = time.perf_counter()
    rest = read_undrawn(
        classifier.backbone_,
        *train,
        material,
        shots=shots,
        seed=seed,
        cache=classifier.cache,
        on_encode=on_progress,
    )
    if rest is None:
        return None
    found, answers = of_undrawn(classifier.method_, classifier.backbone_, rest, time.perf_counter() - began)
    return Asked(found, rest, answers)


def _by_folds(
    classifier: PromptLearner,
    material: Material,
    way: Way,
    val: Part,
    precision: str | None,
    on_progress: Callable[[int, int], None],
    on_epoch: Callable[[EpochReport], None] | None,
) -> Asked:
    """By trainings on a part of the images that were drawn."""
    try:
        found, answers = estimate(
            classifier,
            classifier.backbone_,
            material,
            way,
            val=validation_of(classifier, val, classifier.method, classifier.classes_),
            finish=lambda method: round_method(method, precision),
            on_progress=on_progress,
            on_epoch=on_epoch,
        )
    except PromptletError as error:  # of a training without a fold: what was learned of all images stands
        reason = f"a training on a part of the images failed: {reason_of(error)}"
        return Asked(Estimate(NONE, reason), material, None)
    return Asked(found, material, answers)


def way_of(classifier: PromptLearner, asked: str, seconds: float) -> Way:
    """How the accuracy of a classifier is estimated, whose training takes so many seconds."""
    way = choose_way(asked, classifier.method, seconds)
    if way.way == NONE or classifier.start_from is None:
        return way
    return _because(way, ANEW)


def _because(way: Way, reason: str) -> Way:
    return replace(way, reason="; ".join(filter(None, (way.reason, reason))))


def prepare(classifier: PromptLearner) -> None:
    """Check its numbers and load its backbone, as a fit does."""
    draw_of(classifier)
    classifier._load_backbone()


def findings(
    classifier: PromptLearner, material: Material, test: Part, labels: bool, where: str
) -> tuple[str, ...]:
    """Copies, leaks, doubtful labels, names that are no words: a sentence each."""
    has_pictures = any(material.hashes) and bool(test.images)
    return notes_of(
        classifier.backbone_,
        material,
        labels=labels,
        test_hashes=content_hashes(test.images) if has_pictures else (),
        where=where,
    )


def taught_material(classifier: PromptLearner, train: Part) -> Material:
    """The images that its shots and seed draw, encoded."""
    return drawn_material(classifier, train, trained_views(classifier))


def trained_views(*classifiers: PromptLearner) -> list[Views]:
    """The readings of images that their methods are trained on, of those that read features of them."""
    return [
        views_of(one, schedule_of(one), ())
        for one in classifiers
        if METHODS[one.method].info.reads == FEATURES
    ]


def drawn_material(
    classifier: PromptLearner,
    train: Part,
    views: Sequence[Views],
    on_encode: Callable[[int, int], None] | None = None,
) -> Material:
    """The same in these readings, beside the plain one."""
    return read_material(
        classifier.backbone_,
        *train,
        shots=whole(classifier, "shots"),
        seed=whole(classifier, "seed"),
        views=views,
        cache=classifier.cache,
        on_encode=on_encode,
    )


def validation_of(
    classifier: PromptLearner, val: Part, method: str, classes: np.ndarray
) -> Validation | None:
    """Validation images as ``method`` reads them, for one that looks at them."""
    if not val.labels:
        return None
    info = METHODS[method].info
    reader = Reader(info, classifier.backbone_, classifier.cache)
    return validation(info, reader, *val, classes)
