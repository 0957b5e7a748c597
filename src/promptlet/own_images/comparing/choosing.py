"""A method chosen for a person's own data, by its training images alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptlet.classifier import PromptLearner
from promptlet.methods import METHODS
from promptlet.methods.method import FEATURES
from promptlet.own_images.comparing.result import Comparison, MethodSpec, label
from promptlet.own_images.comparing.run import USUAL, compare, trainable
from promptlet.own_images.data import OwnData
from promptlet.own_images.estimating.estimate import FEWER_FOLDS
from promptlet.own_images.fitting import Progress, nothing
from promptlet.own_images.judging import drawn_material, prepare, trained_views, validation_of
from promptlet.own_images.keeping import keeping_features
from promptlet.own_images.parts import Part, parts_of
from promptlet.protocols.planning import parse_methods
from promptlet.training.captured import check_device

GROUPS = {
    "features": tuple(name for name, method in METHODS.items() if method.info.reads == FEATURES),
    "all": tuple(METHODS),
}
"""Words that stand for several methods."""


def compare_own(
    classifier: PromptLearner,
    data: OwnData,
    methods: Sequence[MethodSpec],
    folds: int = FEWER_FOLDS,
    on_progress: Progress | None = None,
) -> Comparison:
    """Compare methods on the training images of ``data``: those that the classifier's shots and seed draw.

    Raises PromptletError with what to do next.
    """
    return compare_parts(classifier, parts_of(data), methods, folds, on_progress or nothing)


def compare_parts(
    classifier: PromptLearner,
    parts: Mapping[str, Part],
    methods: Sequence[MethodSpec],
    folds: int,
    tell: Progress,
) -> Comparison:
    """The same on the ``train`` part of data, with ``val`` for methods that look at validation images."""
    prepare(classifier)
    if classifier.capture:
        check_device(classifier.backbone_)
    every = trainable(classifier, methods, classifier.backbone_)
    with keeping_features(classifier):
        material = drawn_material(
            classifier,
            parts["train"],
            trained_views(*every),
            lambda done, total: tell("encoding", done, total, ""),
        )
        return compare(
            classifier,
            classifier.backbone_,
            material,
            methods,
            folds=folds,
            val=lambda name: validation_of(classifier, parts["val"], name, material.classes),
            on_progress=lambda name, done, total: tell("comparing", done, total, name),
        )


def specs_of(methods: str | Sequence[str | MethodSpec] | None) -> Sequence[MethodSpec]:
    """The methods that were asked for, by a word of `GROUPS`, by their names with options, or as they are;
    None takes the usual ones. Raises OptionError for one that is none."""
    if methods is None:
        return USUAL
    if isinstance(methods, str):
        return parse_methods(",".join(GROUPS.get(methods.strip(), (methods,))))
    return [spec for one in methods for spec in (specs_of(one) if isinstance(one, str) else [one])]


def chosen(found: Comparison, closed: bool) -> MethodSpec:
    """The method that was recommended: for these classes alone, or one that answers other names too."""
    name = found.closed if closed or found.open_ is None else found.open_
    return next((row.method, row.options) for row in found.rows if label((row.method, row.options)) == name)
