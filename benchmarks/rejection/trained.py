"""A method on a problem, and what is seen of images once it has learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.rejection.problems import Problem
from benchmarks.rejection.words import COMMON, apart
from promptlet.classifier import PromptClassifier
from promptlet.methods.inputs import FeatureInputs, all_logits
from promptlet.methods.templates import TEMPLATE, hand_written


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
    """A method that learned from a problem's images."""

    def __init__(self, problem: Problem, method: str) -> None:
        self.problem = problem
        names = [problem.taught[label] for label in problem.y]
        self.classifier = PromptClassifier(
            backbone=problem.backbone, method=method, seed=problem.seed, cache=False
        ).fit(list(problem.x), names)

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
        own, labels = problem.x, problem.y
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
