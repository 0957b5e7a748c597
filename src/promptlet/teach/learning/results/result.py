"""What came of a training, as one object of plain values: what the page shows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from promptlet.classifier import PromptLearner
from promptlet.classifier.rejection import usual_share
from promptlet.methods import METHODS
from promptlet.methods.method import BY_STEPS
from promptlet.own_images.estimating.advice import photos_wanted
from promptlet.own_images.estimating.curve import Curve
from promptlet.own_images.estimating.mistakes import matrix_of, mistakes_of
from promptlet.own_images.judging import Asked
from promptlet.promptfile import Rejection
from promptlet.teach.learning.choosing import Choice
from promptlet.teach.learning.results.notes import of_estimate, reason_key
from promptlet.teach.learning.results.shapes import SCHEMA

MOST_CLASSES: Final = 100
"""Of a matrix: of more classes only the pairs are told."""
PAIRS, PICTURES = 20, 24
"""Pairs of classes that are told, and images of each."""


@dataclass(frozen=True, eq=False)
class Learned:
    """All that a result is made of. counts: images of each class of the project, in its order, also of those
    that have none; ids: by the paths of images; left_out: reasons by id."""

    classifier: PromptLearner
    choice: Choice
    asked: Asked
    curve: Curve | None
    suspicious: list[dict[str, Any]]
    counts: Mapping[str, int]
    ids: Mapping[str, str]
    left_out: Mapping[str, str]
    notes: Sequence[dict[str, Any]]


def result_of(learned: Learned) -> dict[str, Any]:
    """All but when, how long, and of what it was."""
    classifier, choice, estimate = learned.classifier, learned.choice, learned.asked.estimate
    method, info = classifier.method_, METHODS[classifier.method].info
    order = names_in_order(learned)
    matrix = _matrix(learned, order)
    return {
        "schema": SCHEMA,
        "method": classifier.method,
        "why": choice.words,
        "why_key": choice.key,
        "why_values": choice.values,
        "rank": getattr(method, "rank", None),
        "n_ctx": getattr(method, "n_ctx", None),
        "shots": classifier.shots,
        "schedule": classifier.training_.get("schedule") if info.learns == BY_STEPS else None,
        "numbers": method.trainable_count(),
        "images": classifier.training_.get("images"),
        "accuracy": {
            "percent": estimate.accuracy,
            "low": estimate.low,
            "high": estimate.high,
            "of_ten": of_ten(estimate.accuracy),
            "images": estimate.images,
            "way": estimate.way,
            "reason": estimate.reason.partition("; --")[0],
            "reason_key": reason_key(estimate.reason),
            "reason_values": {},
        },
        "zero_shot": estimate.zero_shot,
        "chance": estimate.chance,
        "majority": estimate.majority,
        "advice": _advice(learned, order, matrix),
        "matrix": None if matrix is None else {"classes": list(order), "counts": matrix.tolist()},
        "confused": _confused(learned),
        "suspicious": learned.suspicious,
        "curve": None if learned.curve is None else _curve(learned.curve),
        "rejection": None if classifier.rejection_ is None else _rejection(classifier.rejection_),
        "new_names": info.unseen_classes,
        "notes": [*of_estimate(learned.asked), *learned.notes],
        "left_out": [{"image": image, "reason": reason} for image, reason in learned.left_out.items()],
    }


def of_ten(percent: float | None) -> int | None:
    """About how many of ten are right; all ten only where none was wrong."""
    if percent is None:
        return None
    return 10 if percent >= 100 else min(9, round(percent / 10))


def names_in_order(learned: Learned) -> tuple[str, ...]:
    """The taught classes as the project has them in order, called as they are taught."""
    taught = learned.asked.material.class_names
    return tuple(sorted(taught, key=list(learned.counts).index))


def _matrix(learned: Learned, order: Sequence[str]) -> np.ndarray | None:
    material, answers = learned.asked.material, learned.asked.answers
    if answers is None or len(order) > MOST_CLASSES:
        return None
    rows = [material.class_names.index(name) for name in order]
    return matrix_of(material, answers)[np.ix_(rows, rows)]


def _advice(learned: Learned, order: Sequence[str], matrix: np.ndarray | None) -> list[dict[str, Any]]:
    """Classes without images first: nothing was taught of them."""
    estimate, counts = learned.asked.estimate, learned.counts
    empty = [name for name in counts if name not in order]
    none = photos_wanted(empty, [counts[name] for name in empty])
    wanted = photos_wanted(order, [counts[name] for name in order], matrix, estimate.low, estimate.high)
    return [{"kind": "add-photos", "class": one.class_name, "count": one.count} for one in (*none, *wanted)]


def _confused(learned: Learned) -> list[dict[str, Any]]:
    material, answers = learned.asked.material, learned.asked.answers
    if answers is None:
        return []
    return [
        {
            "class": one.true,
            "said": one.said,
            "count": len(one.rows),
            "of": one.of,
            "images": [
                learned.ids[path]
                for row in one.rows[:PICTURES]
                if (path := str(material.sources[row])) in learned.ids
            ],
        }
        for one in mistakes_of(material, answers, PAIRS)
    ]


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "shots": [point.shots for point in curve.points],
        "percent": [point.accuracy for point in curve.points],
        "low": [point.low for point in curve.points],
        "high": [point.high for point in curve.points],
        "words_key": "would-help" if curve.would_help else "would-not-help",
        "images": curve.images,
        "folds": curve.folds,
    }


def _rejection(rejection: Rejection) -> dict[str, Any]:
    points = [{"share_own": share, "threshold": at} for share, at in rejection.thresholds.items()]
    return {"points": points, "usual": usual_share(rejection)}
