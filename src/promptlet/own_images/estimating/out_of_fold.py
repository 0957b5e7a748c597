"""What a method answers of images it was not taught: cross-validation on one material."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from promptlet.backbones import Backbone
from promptlet.classifier.fitting import Parameters, schedule_of, views_of
from promptlet.classifier.learning import learn
from promptlet.classifier.reading import pictures
from promptlet.evaluation.trainings import overlap
from promptlet.methods import METHODS, Method, MethodInfo
from promptlet.methods.inputs import Inputs, all_logits
from promptlet.methods.method import FEATURES, NOTHING
from promptlet.own_images.material import Material
from promptlet.pixels import KEEP_BYTES
from promptlet.session import own_arithmetic
from promptlet.training import EpochReport
from promptlet.views import Views

Validation = tuple[Inputs, torch.Tensor]


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """logits (N, C) float32 of a method that was not taught the image; rows of NaN were never asked.

    folds (N,): as `make_folds` gives them. trainings: how many methods were trained for it; 0 where nothing
    is learned, or a method is asked that was never taught them. seconds: of all of them.
    """

    logits: np.ndarray
    folds: np.ndarray
    trainings: int
    seconds: float

    @property
    def overlap(self) -> float:
        """What the variance of an accuracy grows by, for these answers having come of several trainings."""
        share = float(self.asked.mean()) / max(self.trainings, 1)
        return overlap(self.trainings, share) if self.trainings and share < 1 else 1.0

    @property
    def asked(self) -> np.ndarray:
        """Which images were asked about (N,) bool."""
        asked: np.ndarray = ~np.isnan(self.logits[:, 0])
        return asked

    @property
    def probabilities(self) -> np.ndarray:
        """(N, C) float32; rows of NaN where nothing was asked."""
        return torch.from_numpy(self.logits).softmax(-1).numpy()

    @property
    def predicted(self) -> np.ndarray:
        """The likeliest class (N,) int64, -1 where nothing was asked."""
        return np.where(self.asked, np.nan_to_num(self.logits).argmax(1), -1)


@own_arithmetic()
def out_of_fold(
    given: Parameters,
    backbone: Backbone,
    material: Material,
    folds: np.ndarray,
    *,
    only: int | None = None,
    val: Validation | None = None,
    finish: Callable[[Method], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> OutOfFold:
    """Train ``given`` anew for each fold, on all other images, and ask it about those of the fold.

    only: one fold alone, a hold-out. val: validation images, for methods that tune something on them. finish:
    what is done to a trained method before it is asked, such as rounding it as it will be stored. on_epoch:
    of each training; what it raises ends them all.
    Raises what training raises.
    """
    began = time.perf_counter()
    logits = np.full((len(material.targets), len(material.class_names)), np.nan, np.float32)
    parts = _parts(given.method, folds, only)
    for done, (taught, asked) in enumerate(parts):
        method = taught_on(given, backbone, material, taught, val, on_epoch)
        if finish is not None:
            finish(method)
        logits[asked] = asked_about(method, backbone, material, asked)
        if on_progress is not None:
            on_progress(done + 1, len(parts))
    trainings = 0 if METHODS[given.method].info.learns == NOTHING else len(parts)
    return OutOfFold(logits, np.asarray(folds), trainings, time.perf_counter() - began)


def _parts(method: str, folds: np.ndarray, only: int | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to be taught, and asked about; what learns nothing is asked about all of them at once."""
    chosen = np.unique(folds[folds >= 0]) if only is None else np.array([only])
    if METHODS[method].info.learns == NOTHING:
        return [(np.arange(len(folds)), np.flatnonzero(np.isin(folds, chosen)))]
    return [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in chosen]


def taught_on(
    given: Parameters,
    backbone: Backbone,
    material: Material,
    rows: np.ndarray,
    val: Validation | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> Method:
    """A method that was trained on some of the images."""
    targets = torch.from_numpy(material.targets[rows])
    names, schedule = material.class_names, schedule_of(given)
    views = views_of(given, schedule, material.sources)
    inputs = _inputs(METHODS[given.method].info, backbone, material, rows, views)
    method, _ = learn(given, backbone, names, inputs, targets, schedule, val, on_epoch=on_epoch)
    return method


def asked_about(method: Method, backbone: Backbone, material: Material, rows: np.ndarray) -> np.ndarray:
    """Logits (n, C) float32 of some of the images."""
    inputs = _inputs(method.info, backbone, material, rows, 1, keep_bytes=0)
    return all_logits(method.scorer(), inputs, backbone.device).cpu().numpy()


def _inputs(
    info: MethodInfo,
    backbone: Backbone,
    material: Material,
    rows: np.ndarray,
    views: Views,
    keep_bytes: int = KEEP_BYTES,
) -> Inputs:
    if info.reads == FEATURES:
        return material.feature_inputs(backbone, rows, views)
    return pictures(info, backbone, [material.sources[i] for i in rows], views, keep_bytes)
