"""A method on a problem: what it says of all images, and out of fold of those it learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold

from benchmarks.rejection.problems import Problem
from benchmarks.rejection.words import COMMON, apart
from promptlet.classifier import PromptClassifier
from promptlet.methods.inputs import FeatureInputs, all_logits
from promptlet.methods.templates import TEMPLATE, hand_written

FOLDS = 5


@dataclass(frozen=True)
class Seen:
    """What is known of some images, one row each, without their labels.

    logits (N, C): of the taught names. zero_shot (N, C), words (N, W): logits of the taught names and of
    common words, hand-written; words whose text is nearest to a taught name first. means, centred (N, C):
    cosines with the means of the taught classes' images, and the same once the mean of these means, the
    centre, is taken away from both. centre (N, 1): cosines with it. neighbours (N, 10): cosines with the
    nearest images that were learned from, the nearest first.
    """

    logits: np.ndarray
    zero_shot: np.ndarray
    words: np.ndarray
    means: np.ndarray
    centred: np.ndarray
    centre: np.ndarray
    neighbours: np.ndarray


class Trained:
    """A method that learned from some rows of a problem's images."""

    def __init__(self, problem: Problem, method: str, rows: np.ndarray) -> None:
        self.problem, self.rows = problem, rows
        names = [problem.taught[label] for label in problem.y[rows]]
        self.classifier = PromptClassifier(
            backbone=problem.backbone, method=method, seed=problem.seed, cache=False
        ).fit(list(problem.x[rows]), names)

    def logits(self, x: np.ndarray, names: tuple[str, ...] | None = None) -> np.ndarray:
        """(N, C) of the taught names, in their order, or of others."""
        score = self.classifier._answers.scorer(names or self.problem.taught, None)
        inputs = FeatureInputs(torch.from_numpy(x)[None])
        return all_logits(score, inputs, self.problem.backbone.device).numpy()

    def seen(self, x: np.ndarray) -> Seen:
        """All that scores are made of."""
        problem, count = self.problem, len(self.problem.taught)
        words = [COMMON[i] for i in apart(COMMON, (*problem.taught, *problem.near))]
        written = hand_written(problem.backbone, TEMPLATE, (*problem.taught, *words)).numpy()
        taught, others = written[:count], written[count:]
        others = others[np.argsort(-(others @ taught.T).max(axis=1), kind="stable")]
        own, labels = problem.x[self.rows], problem.y[self.rows]
        means = np.stack([own[labels == label].mean(axis=0) for label in range(count)])
        centre = means.mean(axis=0)
        scale = problem.backbone.logit_scale
        return Seen(
            logits=self.logits(x),
            zero_shot=scale * x @ taught.T,
            words=scale * x @ others.T,
            means=x @ unit(means).T,
            centred=unit(x - centre) @ unit(means - centre).T,
            centre=x @ unit(centre[None]).T,
            neighbours=-np.sort(-(x @ own.T), axis=1)[:, :10],
        )


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def everything(problem: Problem, method: str) -> Trained:
    """Trained on all images."""
    return Trained(problem, method, np.arange(len(problem.y)))


def out_of_fold(problem: Problem, method: str) -> Seen:
    """Of the images it learned from, each seen by a training without its fold."""
    rows = np.arange(len(problem.y))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=problem.seed).split(rows, problem.y)
    found: dict[str, np.ndarray] = {}
    for train, held in folds:
        part = vars(Trained(problem, method, train).seen(problem.x[held]))
        for name, array in part.items():
            found.setdefault(name, np.zeros((len(rows), array.shape[1]), np.float32))[held] = array
    return Seen(**found)
