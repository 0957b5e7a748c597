"""What is measured of a rule on a problem, all in percent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.rejection.problems import Problem
from benchmarks.rejection.rules import CHOSEN, RULES, Rule, Setting
from benchmarks.rejection.trained import Seen, Trained
from promptlet.classifier.rejection import learn_rejection, scores, threshold_of
from promptlet.evaluation import detection_auc

Row = dict[str, Any]
ASKED = ("known", "near", "far")


def judged(found: Mapping[str, np.ndarray]) -> Row:
    """auroc, false_at_95: of a threshold that 95 % of the known test images reach: what the score alone can.
    near, far: the unknown."""
    row: Row = {}
    at_95 = float(np.quantile(found["known"], 0.05))
    for kind in ("near", "far"):
        row |= {
            f"auroc_{kind}": detection_auc(found["known"], found[kind]),
            f"false_at_95_{kind}": _share(found[kind], at_95),
        }
    return row


def _share(found: np.ndarray, threshold: float) -> float:
    return 100.0 * float(np.mean(found >= threshold))


def of_method(
    problem: Problem, method: str, settings: Callable[[Rule], tuple[Setting, ...]]
) -> Iterator[Row]:
    """A row for each rule and setting."""
    trained = Trained(problem, method)
    seen = {kind: trained.seen(getattr(problem, f"{kind}_x")) for kind in ASKED}
    for rule in RULES:
        for setting in settings(rule):
            found = {kind: rule.score(seen[kind], setting) for kind in ASKED}
            yield {"rule": rule.name, "setting": list(setting), **judged(found)}
    yield {"rule": CHOSEN, "setting": [], **judged(_by_product(problem)[0])}


def _by_product(problem: Problem, shots: int | None = None) -> tuple[dict[str, np.ndarray], float]:
    """Scores and threshold of the product's own rule, which no method has a part in; of the first ``shots``
    images of each class."""
    count = len(problem.taught)
    rows = np.concatenate([np.flatnonzero(problem.y == label)[:shots] for label in range(count)])
    rejection = learn_rejection(problem.x[rows], problem.y[rows], count)
    assert rejection is not None
    found = {kind: scores(rejection, getattr(problem, f"{kind}_x")) for kind in ASKED}
    return found, threshold_of(rejection)


def chosen(problem: Problem, shots: int | None = None) -> Row:
    """The product's own rule; accepted, false: of the threshold that it learned from its own images."""
    found, threshold = _by_product(problem, shots)
    false = {f"false_{kind}": _share(found[kind], threshold) for kind in ("near", "far")}
    return {**judged(found), "accepted": _share(found["known"], threshold), **false}


def of_part_of_the_names(problem: Problem) -> Row:
    """The same threshold where only the first half of the taught names is asked for: the images of these that
    are accepted, and of the other taught classes, of classes never taught, and of another data set."""
    rejection = learn_rejection(problem.x, problem.y, len(problem.taught))
    assert rejection is not None
    half = list(range((len(problem.taught) + 1) // 2))
    threshold = threshold_of(rejection)
    own = np.isin(problem.known_y, half)
    asked = {
        "accepted": problem.known_x[own],
        "false_other_half": problem.known_x[~own],
        "false_near": problem.near_x,
        "false_far": problem.far_x,
    }
    return {name: _share(scores(rejection, x, half), threshold) for name, x in asked.items()}


def of_other_names(problem: Problem, settings: Callable[[Rule], tuple[Setting, ...]]) -> Iterator[Row]:
    """Zero-shot thresholds that accept 95 % of the images of the taught names, used for as many names never
    taught: the share of images of these that is accepted, 95 where a threshold can go from names to names.
    Zero-shot learns nothing, so that its images need no folds. Class means know no such names."""
    trained = Trained(problem, "zero_shot")
    near = problem.near[: len(problem.taught)]
    empty = np.zeros((1, 1))

    def seen(x: np.ndarray, names: tuple[str, ...]) -> Seen:
        logits = trained.logits(x, names)
        return Seen(logits, logits, empty, empty, empty, empty, empty)

    own = seen(problem.x, problem.taught)
    asked = seen(problem.near_x[problem.near_y < len(near)], near)
    for rule in RULES:
        if rule.name in ("maximum softmax, temperature", "maximum cosine (logit)"):
            [setting] = settings(rule)
            threshold = float(np.quantile(rule.score(own, setting), 0.05))
            yield {"rule": rule.name, "accepted": _share(rule.score(asked, setting), threshold)}
