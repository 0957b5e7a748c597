"""Whether more images would help: how often a method is right that is taught fewer of them, on the same
folds. Bounds and the verdict are settings of our own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from promptlet import rng
from promptlet.backbones import Backbone
from promptlet.classifier.fitting import Parameters
from promptlet.methods import METHODS, Method
from promptlet.methods.method import FEATURES, NOTHING
from promptlet.own_images.estimating.accuracy import accuracy_of
from promptlet.own_images.estimating.estimate import photos_of
from promptlet.own_images.estimating.out_of_fold import OutOfFold, asked_about, taught_on
from promptlet.own_images.material import Material
from promptlet.training import EpochReport

FEWEST = 8
"""Different photos that each class has: with fewer a curve says nothing."""
LEAST_FOLDS = 2
HELPS = 1.0
"""Points that the last doubling, or what there is of one, gained: from so many on, more images would help."""
WHOLE = 99.0
"""Percent above which nothing is left to gain."""


@dataclass(frozen=True)
class Point:
    """What ``shots`` images a class are worth: accuracy in percent, with its interval of 95 %."""

    shots: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """points: of ever more images, all that are taught beside a fold last. images: that were asked about."""

    points: tuple[Point, ...]
    images: int
    folds: int
    seconds: float

    @property
    def would_help(self) -> bool:
        """Whether more images of each class would: the last step upwards gained something still."""
        before, last = self.points[-2:]
        return last.accuracy - before.accuracy >= HELPS and last.accuracy < WHOLE


def learning_curve(
    given: Parameters,
    backbone: Backbone,
    material: Material,
    answers: OutOfFold,
    *,
    seconds: float,
    finish: Callable[[Method], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> Curve | None:
    """The curve up to ``answers``, which cross-validation of ``given`` gave; in about so many seconds.

    None where a class has fewer than `FEWEST` photos, where nothing is learned of features, and where the
    seconds are too few for one point by `LEAST_FOLDS` folds. The rest: as in `out_of_fold`.
    """
    info, began = METHODS[given.method].info, time.perf_counter()
    if info.learns == NOTHING or info.reads != FEATURES or answers.trainings < LEAST_FOLDS:
        return None
    if min(photos_of(material)) < FEWEST:
        return None
    each = answers.seconds / answers.trainings
    folds = np.unique(answers.folds[answers.asked])
    several = _shots(material, answers.folds)
    affordable = int(seconds / max(each, 1e-6))
    if affordable < LEAST_FOLDS or not several:
        return None
    folds = folds[: max(LEAST_FOLDS, min(len(folds), affordable // len(several)))]
    several = several[: max(1, affordable // len(folds))]
    found: list[Point] = [_point(_all_taught(material, answers.folds), answers, material, folds)]
    for done, shots in enumerate(several):
        if done and time.perf_counter() - began > seconds:
            break
        one = _with(shots, given, backbone, material, answers.folds, folds, finish, on_epoch)
        found.append(_point(shots, one, material, folds))
        if on_progress is not None:
            on_progress(done + 1, len(several))
    asked = int((answers.asked & np.isin(answers.folds, folds)).sum())
    return Curve(tuple(found[::-1]), asked, len(folds), time.perf_counter() - began)


def _all_taught(material: Material, folds: np.ndarray) -> int:
    """Images of the smallest class beside a fold."""
    count = len(np.unique(folds[folds >= 0]))
    smallest = int(np.bincount(material.targets).min())
    return smallest - -(-smallest // count)


def _shots(material: Material, folds: np.ndarray) -> list[int]:
    """Powers of two below that, the largest first."""
    most = _all_taught(material, folds)
    return [2**power for power in range(12, -1, -1) if 2**power < 0.8 * most]


def _with(
    shots: int,
    given: Parameters,
    backbone: Backbone,
    material: Material,
    folds: np.ndarray,
    asked: Sequence[int] | np.ndarray,
    finish: Callable[[Method], None] | None,
    on_epoch: Callable[[EpochReport], None] | None,
) -> OutOfFold:
    """What is said of the folds ``asked`` by who was taught so many images of each class of the others."""
    began = time.perf_counter()
    logits = np.full((len(material.targets), len(material.class_names)), np.nan, np.float32)
    for fold in asked:
        rows = _drawn(material.targets, np.flatnonzero(folds != fold), shots)
        method = taught_on(given, backbone, material, rows, on_epoch=on_epoch)
        if finish is not None:
            finish(method)
        own = np.flatnonzero(folds == fold)
        logits[own] = asked_about(method, backbone, material, own)
    return OutOfFold(logits, folds, len(asked), time.perf_counter() - began)


def _drawn(targets: np.ndarray, rows: np.ndarray, shots: int) -> np.ndarray:
    """So many rows of each class: a larger draw holds the smaller ones."""
    order = rng.generator("curve", 1).permutation(len(targets))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    rows = rows[np.argsort(rank[rows], kind="stable")]
    kept = [rows[targets[rows] == target][:shots] for target in np.unique(targets)]
    return np.sort(np.concatenate(kept))


def _point(shots: int, answers: OutOfFold, material: Material, folds: np.ndarray) -> Point:
    asked = answers.asked & np.isin(answers.folds, folds)
    return Point(shots, *accuracy_of(answers, material, asked))
