"""What a backbone sees of labels and names: whose label the other images contradict, which names it knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from promptlet.backbones import Backbone
from promptlet.backbones.readings import alike, told_alike
from promptlet.classifier import PromptLearner
from promptlet.errors import PromptletError
from promptlet.methods import build_method
from promptlet.methods.inputs import all_logits
from promptlet.own_images.checking.labels import find_doubtful, find_unknown_names
from promptlet.own_images.checking.result import ALIKE_NAME, Finding, Photo
from promptlet.own_images.estimating.estimate import FEWER_FOLDS, usable_folds
from promptlet.own_images.estimating.out_of_fold import out_of_fold
from promptlet.own_images.material import Material
from promptlet.promptfile.backbone import without_folders

METHOD = "linear_probe"
"""What says which class an image looks like: of the methods that train in seconds the most often right on a
closed set of classes."""


def doubtful_labels(
    backbone: Backbone,
    material: Material,
    photos: Sequence[Photo],
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Finding], np.ndarray]:
    """Findings about the photos (N) of the material, and which could be compared (N,) bool.

    Raises DataError where none can be.
    """
    plain = replace(material, features=material.features[:1], numbers=(0,))
    folds = usable_folds(plain, FEWER_FOLDS)
    given = PromptLearner(backbone, method=METHOD, cache=False)
    answers = out_of_fold(given, backbone, plain, folds, on_progress=on_progress)
    found = find_doubtful(photos, material.targets, answers.probabilities, material.class_names)
    return found, answers.asked


def alike_names(backbone: Backbone, class_names: Sequence[str]) -> list[Finding]:
    """Names that the backbone reads as another one; nothing where it cannot read one at all."""
    try:
        pairs = list(alike(backbone.names_read(class_names)))
    except PromptletError:
        return []
    own = without_folders(backbone.name)
    return [
        Finding(ALIKE_NAME, told_alike(first, other, own), (), (first.name, other.name))
        for first, other in pairs
    ]


def seen_names(backbone: Backbone, material: Material) -> tuple[list[Finding], list[str]]:
    """Names that tell the backbone little, and those that it knows; nothing where it has no text."""
    try:
        method = build_method("zero_shot", backbone, material.class_names)
        inputs = material.feature_inputs(backbone, np.arange(len(material.targets)))
        scores = all_logits(method.scorer(), inputs, backbone.device).cpu().numpy()
    except PromptletError:
        return [], []
    return find_unknown_names(material.class_names, material.targets, scores)
