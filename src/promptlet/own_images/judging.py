"""What the images that a classifier was taught tell about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from promptlet.classifier import PromptClassifier
from promptlet.classifier.files import round_method
from promptlet.classifier.fitting import validation, whole
from promptlet.classifier.reading import Reader
from promptlet.methods import METHODS
from promptlet.methods.method import FEATURES
from promptlet.own_images.estimate import NONE, Estimate, choose_way, estimate
from promptlet.own_images.material import Material, read_material
from promptlet.own_images.out_of_fold import OutOfFold, Validation
from promptlet.own_images.parts import Part


@dataclass(frozen=True, eq=False)
class Judged:
    """estimate: of the accuracy on other images. material, answers: what it is made of, None without one."""

    estimate: Estimate
    material: Material | None = None
    answers: OutOfFold | None = None


def judge(
    classifier: PromptClassifier,
    train: Part,
    val: Part,
    precision: str | None,
    asked: str,
    seconds: float,
    tell: Callable[[str, int, int, str], None],
) -> Judged:
    """The estimate of a fitted classifier, over the images that it was given. seconds: of its training."""
    way = choose_way(asked, classifier.method, seconds)
    if way.way == NONE:
        return Judged(Estimate(NONE, way.reason))
    material = taught_material(classifier, train)
    found, answers = estimate(
        classifier,
        classifier.backbone_,
        material,
        way,
        val=validation_of(classifier, val, classifier.method, classifier.classes_),
        finish=lambda method: round_method(method, precision),
        on_progress=lambda done, total: tell("estimating", done, total, ""),
    )
    return Judged(found, material, answers)


def taught_material(classifier: PromptClassifier, train: Part) -> Material:
    """The images that its shots and seed draw, encoded."""
    reads = METHODS[classifier.method].info.reads
    material = read_material(
        classifier.backbone_,
        train.images,
        train.labels,
        views=whole(classifier, "views") if reads == FEATURES else 1,
        cache=classifier.cache,
    )
    return material.shots(whole(classifier, "shots"), whole(classifier, "seed"))


def validation_of(
    classifier: PromptClassifier, val: Part, method: str, classes: np.ndarray
) -> Validation | None:
    """Validation images as ``method`` reads them, for one that looks at them."""
    if not val.labels:
        return None
    info = METHODS[method].info
    reader = Reader(info, classifier.backbone_, classifier.cache)
    return validation(info, reader, *val, classes)
