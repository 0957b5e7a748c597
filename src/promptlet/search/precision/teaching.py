"""What labelled images tell of the scores of a class: those that taught the prompt, each asked of a prompt
that was not taught it, and others as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.backbones import Backbone
from promptlet.classifier import PromptLearner
from promptlet.classifier.fitting import draw_of
from promptlet.classifier.inputs import draw_rows, given_features
from promptlet.classifier.reading import are_vectors
from promptlet.data import FeatureCache, clean_class_name
from promptlet.data.load import read_own
from promptlet.errors import DataError, OptionError, did_you_mean, listed
from promptlet.features import encode_images
from promptlet.own_images.estimating.estimate import FEWER_FOLDS, usable_folds
from promptlet.own_images.estimating.out_of_fold import out_of_fold
from promptlet.own_images.judging import trained_views
from promptlet.own_images.material import read_material
from promptlet.own_images.parts import parts_of
from promptlet.search.query import ClassOf
from promptlet.search.question import Question
from promptlet.session import own_arithmetic

OTHER_CLASSES, STRANGERS = "other classes", "none of them"
STRANGER = -1
"""In the place of a class: an image of a class that the prompt does not have."""


@dataclass(frozen=True, eq=False)
class Taught:
    """Scores of labelled images: ``own`` of the class; ``kinds`` of others, by kind."""

    own: np.ndarray
    kinds: dict[str, np.ndarray]

    @property
    def others(self) -> int:
        """How many there are."""
        return sum(map(len, self.kinds.values()))


@own_arithmetic()
def learn(
    asked: ClassOf,
    question: Question,
    data: str | Path,
    backbone: Backbone,
    cache: FeatureCache | None,
    on_progress: Callable[[int, int], None] | None = None,
    nothing_else: bool = False,
) -> Taught:
    """The scores of labelled images for a class, whose question is given; on_progress counts trainings.

    data: what taught the prompt, as `promptlet fit` takes it; images of classes that the prompt does not have
    are of none of them. nothing_else: whether the folder is known to show only classes of the prompt, so that
    none of these are needed. Raises DataError where images are not enough, OptionError for a class that was
    not taught.
    """
    classifier = PromptLearner.load(asked.file, backbone)
    classifier.cache = cache or False
    own = _row_of(classifier, asked)
    shots, seed = draw_of(classifier)
    given = _given(classifier, Path(data))
    if not nothing_else and not (given.targets == STRANGER).any():
        raise DataError(
            f"how many of the hits are right cannot be told: all images of {data} show classes of the "
            "prompt, and the folder may hold other things. Put some hundred of its photos that show none of "
            f"these into a class of their own, such as {Path(data) / 'other'}; or say that it holds nothing "
            "else: --nothing-else"
        )
    drawn = draw_rows(given.targets[given.train], classifier.class_names_, shots, seed)[0]
    rows = given.train[drawn]
    material = read_material(
        backbone,
        [given.sources[row] for row in rows],
        [classifier.class_names_[given.targets[row]] for row in rows],
        views=trained_views(classifier),
        cache=cache or False,
    )
    folds = usable_folds(material, FEWER_FOLDS)
    answers = out_of_fold(classifier, backbone, material, folds, on_progress=on_progress)
    columns = [material.class_names.index(name) for name in classifier.class_names_]
    logits, targets = answers.logits[answers.asked][:, columns], given.targets[rows][answers.asked]
    order = [own, *(column for column in range(len(columns)) if column != own)]
    others = np.setdiff1d(np.arange(len(given.targets)), rows)
    scores = np.concatenate(
        [
            of_logits(question, logits[:, order]),
            question.scores(_features(given, others, backbone, cache) @ question.matrix),
        ]
    )
    return _sorted(scores, np.concatenate([targets, given.targets[others]]), own)


def of_logits(question: Question, logits: np.ndarray) -> np.ndarray:
    """Scores (n,) of logits (n, C), of the class that is asked for and then of the others."""
    return question.scores((logits - logits[:, 1:].mean(axis=1, keepdims=True)) / question.scale)


def _sorted(scores: np.ndarray, targets: np.ndarray, own: int) -> Taught:
    kinds = {
        OTHER_CLASSES: scores[(targets != own) & (targets != STRANGER)],
        STRANGERS: scores[targets == STRANGER],
    }
    return Taught(scores[targets == own], {kind: found for kind, found in kinds.items() if len(found)})


def _row_of(classifier: PromptLearner, asked: ClassOf) -> int:
    names = classifier.class_names_
    known = {clean_class_name(name).casefold(): row for row, name in enumerate(names)}
    row = known.get(clean_class_name(asked.class_name).casefold())
    if row is None:
        raise OptionError(
            f"{asked.file} was not taught {asked.class_name!r}, so no labelled image tells how many of the "
            f"images found are right; ask for a taught class, or leave --precision out."
            f"{did_you_mean(asked.class_name, names)}"
        )
    if len(names) < 2:
        raise OptionError(
            f"{asked.file} was taught a single class, and only images of others tell how many of the images "
            "found are right; leave --precision out"
        )
    return row


@dataclass(frozen=True, eq=False)
class _Given:
    """Labelled images: sources (paths, or features), their classes (N,), the rows that may have taught."""

    sources: Sequence[Any]
    targets: np.ndarray
    train: np.ndarray


def _given(classifier: PromptLearner, data: Path) -> _Given:
    """All that lies at ``data``. Raises DataError where a class of the prompt has no training image."""
    names = classifier.class_names_
    known = {clean_class_name(name).casefold(): row for row, name in enumerate(names)}
    parts = parts_of(read_own(data))
    labels = [label for part in parts.values() for label in part.labels]
    targets = np.array(
        [known.get(clean_class_name(label).casefold(), STRANGER) for label in labels], np.int64
    )
    is_train = np.arange(len(labels)) < len(parts["train"].labels)
    train = np.flatnonzero(is_train & (targets != STRANGER))
    missing = [names[row] for row in np.setdiff1d(np.arange(len(names)), targets[train])]
    if missing:
        raise DataError(
            f"{data} has no training images of {listed(missing)}, which the prompt was taught; give the "
            "images that taught it"
        )
    return _Given([source for part in parts.values() for source in part.images], targets, train)


def _features(given: _Given, rows: np.ndarray, backbone: Backbone, cache: FeatureCache | None) -> np.ndarray:
    """Of images that taught nothing (n, D), of length 1."""
    sources = [given.sources[row] for row in rows]
    if not sources:
        return np.zeros((0, backbone.feature_dim), np.float32)
    if are_vectors(sources):
        features = np.asarray(given_features(sources, backbone.feature_dim)[0])
    else:
        features = encode_images(backbone, sources, cache=cache)[0]
    found: np.ndarray = features / np.linalg.norm(features, axis=1, keepdims=True)
    return found
