"""Images that shots did not draw: the prompt was not taught them, so they tell directly how good it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from promptlet import rng
from promptlet.backbones import Backbone
from promptlet.classifier.inputs import draw_rows
from promptlet.data import FeatureCache
from promptlet.evaluation.trainings import overlap
from promptlet.evaluation.weighted import weights_of
from promptlet.methods import Method
from promptlet.own_images.duplicates import groups_of
from promptlet.own_images.estimating.out_of_fold import OutOfFold, asked_about
from promptlet.own_images.material import Material, read_material

FOLDS = 5
"""Of the estimate that would be made else."""
MOST = 500
"""As many are asked about, and one of each class at least: their interval is about 5 points to each side, and
encoding them costs less than the trainings of folds."""
AS_MANY = 2.0
"""Times the variance: the interval is to hold what a person measures on as many other images, and that
varies as much again. Folds are widened by more than that."""
ENOUGH = 200
"""Images of which an interval is narrow enough, whatever folds would give."""
DRAWN_WHOLE = 0.05
"""The share that classes may have of which no image is left: small ones, which the estimate leaves out."""


def read_undrawn(
    backbone: Backbone,
    sources: Sequence[Any],
    labels: Sequence[str],
    material: Material,
    *,
    shots: int,
    seed: int,
    cache: bool | str | Path | FeatureCache = True,
    on_encode: Callable[[int, int], None] | None = None,
) -> Material | None:
    """Some of the images that were not drawn from all, ``sources``, for ``material``, over its classes.

    Copies and near-duplicates of drawn images are left out. None where too few are left for an interval as
    narrow as that of folds, or too many are of classes of which none is left (`DRAWN_WHOLE`). Raises
    ImageError for one that cannot be read.
    """
    targets = np.searchsorted(material.classes, np.asarray(labels, dtype=str))
    rows = _choose(targets, draw_rows(targets, material.class_names, shots, seed)[0], seed)
    if not _are_enough(targets[rows], material):
        return None
    read = read_material(
        backbone,
        [sources[i] for i in rows],
        [labels[i] for i in rows],
        cache=cache,
        on_encode=on_encode,
    )
    same_classes = replace(
        read,
        targets=targets[rows],
        classes=material.classes,
        class_names=material.class_names,
        shares=material.shares,
    )
    found = same_classes.only(_unlike(read, material))
    return found if _are_enough(found.targets, material) else None


def ask_undrawn(method: Method, backbone: Backbone, material: Material) -> OutOfFold:
    """What a method says of images none of which it was taught: no training was made for that."""
    began = time.perf_counter()
    rows = np.arange(len(material.targets))
    logits = asked_about(method, backbone, material, rows)
    return OutOfFold(logits, np.zeros(len(rows), np.int64), 0, time.perf_counter() - began)


def _choose(targets: np.ndarray, drawn: Sequence[int], seed: int) -> np.ndarray:
    """Rows by chance, and the first of each class that chance left out."""
    left = np.setdiff1d(np.arange(len(targets)), drawn)
    left = rng.generator("undrawn", seed).permutation(left)
    firsts = left[np.unique(targets[left], return_index=True)[1]]
    return np.union1d(left[:MOST], firsts)


def _are_enough(targets: np.ndarray, material: Material) -> bool:
    left = np.isin(np.arange(len(material.class_names)), targets)
    if material.shares[~left].sum() > DRAWN_WHOLE:
        return False
    effective = 1.0 / float(np.sum(weights_of(targets, material.shares) ** 2))
    return effective >= min(AS_MANY * len(material.targets) / overlap(FOLDS, 1 / FOLDS), ENOUGH)


def _unlike(read: Material, material: Material) -> np.ndarray:
    """Rows of those that are no copies of drawn ones."""
    features = np.concatenate([material.features[0], read.features[0]])
    groups = groups_of((*material.hashes, *read.hashes), features)
    drawn, own = groups[: len(material.targets)], groups[len(material.targets) :]
    return np.flatnonzero(~np.isin(own, drawn))
