"""Estimates and comparisons of whatever `PromptClassifier.fit` takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from promptlet.classifier import PromptLearner
from promptlet.classifier.fitting import checked_schedule
from promptlet.classifier.given.parts import TRAIN, Asked, Given
from promptlet.classifier.given.take import take
from promptlet.classifier.labels import read_labels, words_of
from promptlet.data.items import SPLIT_NAMES
from promptlet.errors import check_option
from promptlet.methods import METHODS
from promptlet.own_images.comparing.choosing import compare_parts, specs_of
from promptlet.own_images.comparing.result import Comparison, MethodSpec
from promptlet.own_images.estimating.estimate import CV, FEWER_FOLDS, HOLDOUT, Estimate
from promptlet.own_images.estimating.estimate import estimate as estimated
from promptlet.own_images.fitting import nothing
from promptlet.own_images.judging import prepare, taught_material, validation_of, way_of
from promptlet.own_images.keeping import keeping_features
from promptlet.own_images.parts import Part


def estimate(
    classifier: PromptLearner, images: Any, labels: Iterable[Any] | None = None, way: str = CV
) -> Estimate:
    """How often a classifier of these parameters will be right on other images than those it is taught.

    images, labels: as `PromptClassifier.fit` takes them. way: "cv" or "holdout". The classifier itself is
    neither trained nor changed. Raises what a fit raises; what makes an estimate impossible is its
    ``reason``.
    """
    check_option("way", way, (CV, HOLDOUT))
    check_option("method", classifier.method, METHODS)
    parts = _parts(classifier, images, labels)
    given = classifier.untrained()
    prepare(given)
    checked_schedule(given, given.backbone_)
    with keeping_features(given):
        material = taught_material(given, parts["train"])
        val = validation_of(given, parts["val"], given.method, material.classes)
        return estimated(given, given.backbone_, material, way_of(given, way, 0.0), val=val)[0]


def compare(
    classifier: PromptLearner,
    images: Any,
    labels: Iterable[Any] | None = None,
    methods: str | Sequence[str | MethodSpec] | None = None,
    folds: int = FEWER_FOLDS,
) -> Comparison:
    """Which method for these images: each by cross-validation on the same folds.

    classifier: its backbone and further parameters are shared by all methods. images, labels: as
    `PromptClassifier.fit` takes them. methods: as in ``"rlp,coop:n_ctx=8"``, or a list;
    "features" for all that read features, "all" for all; None takes the usual ones. Raises OptionError for a
    method that is none, DataError where no image can be held back.
    """
    specs = specs_of(methods)
    given = classifier.untrained()
    return compare_parts(given, _parts(classifier, images, labels), specs, folds, nothing)


def _parts(classifier: PromptLearner, images: Any, labels: Iterable[Any] | None) -> dict[str, Part]:
    asked = Asked(classifier.image_column, classifier.label_column, needs_labels=labels is None)
    taken = take(images, TRAIN, asked)
    train = _part(classifier, taken, labels)
    val = Part([], []) if taken.val is None or labels is not None else _part(classifier, taken.val, None)
    return dict(zip(SPLIT_NAMES, (train, val, Part([], [])), strict=True))


def _part(classifier: PromptLearner, given: Given, labels: Iterable[Any] | None) -> Part:
    names = classifier.label_names
    return Part(given.images, [str(word) for word in words_of(read_labels(given, labels, names), names)])
