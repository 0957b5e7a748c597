"""What is measured of a rule on a problem, all in percent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.rejection.problems import Problem
from benchmarks.rejection.rules import BOTH, CHOSEN, RULES, Rule, Setting
from benchmarks.rejection.trained import Seen, everything, out_of_fold
from promptlet.classifier.rejection import USUAL, learn_rejection, scores, threshold_of
from promptlet.evaluation import detection_auc

Row = dict[str, Any]
ASKED = ("known", "near", "far")


def judged(found: Mapping[str, np.ndarray], threshold: float) -> Row:
    """auroc, false_at_95: of a threshold that 95 % of the known test images reach, so of the score alone.
    accepted, false: of the threshold that was learned from the images that taught. near, far: the unknown."""
    row: Row = {"accepted": _share(found["known"], threshold)}
    at_95 = float(np.quantile(found["known"], 0.05))
    for kind in ("near", "far"):
        row |= {
            f"auroc_{kind}": detection_auc(found["known"], found[kind]),
            f"false_at_95_{kind}": _share(found[kind], at_95),
            f"false_{kind}": _share(found[kind], threshold),
        }
    return row


def _share(found: np.ndarray, threshold: float) -> float:
    return 100.0 * float(np.mean(found >= threshold))


def _threshold(own: np.ndarray) -> float:
    """The product's rule, of any scores."""
    rank = int((100 - USUAL) * (len(own) + 1) / 100)
    return float(np.sort(own)[rank - 1])


def of_method(
    problem: Problem, method: str, settings: Callable[[Rule], tuple[Setting, ...]]
) -> Iterator[Row]:
    """A row for each rule and setting."""
    trained = everything(problem, method)
    seen = {kind: trained.seen(getattr(problem, f"{kind}_x")) for kind in ASKED}
    own = out_of_fold(problem, method)
    for rule in RULES:
        for setting in settings(rule):
            found = {kind: rule.score(seen[kind], setting) for kind in ASKED}
            judgement = judged(found, _threshold(rule.score(own, setting)))
            yield {"rule": rule.name, "setting": list(setting), **judgement}
    yield {"rule": " + ".join(BOTH), "setting": [], **_together(seen, own, settings)}
    yield {"rule": CHOSEN, "setting": [], **chosen(problem)}


def _together(seen: Mapping[str, Seen], own: Seen, settings: Callable[[Rule], tuple[Setting, ...]]) -> Row:
    total = {kind: np.zeros(1) for kind in (*ASKED, "own")}
    for rule in RULES:
        if rule.name in BOTH:
            setting = settings(rule)[len(settings(rule)) // 2]
            base = rule.score(own, setting)
            for kind, one in {**seen, "own": own}.items():
                total[kind] = total[kind] + (rule.score(one, setting) - base.mean()) / base.std()
    return judged(total, _threshold(total["own"]))


def chosen(problem: Problem, shots: int | None = None) -> Row:
    """The product's own rule, which no method has a part in; of the first ``shots`` images of each class."""
    count = len(problem.taught)
    rows = np.concatenate([np.flatnonzero(problem.y == label)[:shots] for label in range(count)])
    rejection = learn_rejection(problem.x[rows], problem.y[rows], count)
    assert rejection is not None
    found = {kind: scores(rejection, getattr(problem, f"{kind}_x")) for kind in ASKED}
    return judged(found, threshold_of(rejection))


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


def of_other_names(problem: Problem, method: str, setting: Setting) -> Iterator[Row]:
    """A threshold learned for the taught names, used for as many names never taught: the share of images of
    these that is accepted, which is 95 where the threshold can be used. Class means know no such names."""
    trained = everything(problem, method)
    own = out_of_fold(problem, method)
    near = problem.near[: len(problem.taught)]
    x = problem.near_x[problem.near_y < len(near)]
    empty = np.zeros((len(x), 1))
    logits = trained.logits(x, near)
    asked = Seen(logits, logits, empty, empty, empty, empty, empty)
    for rule in RULES:
        if rule.name in ("maximum softmax, temperature", "maximum cosine (logit)"):
            threshold = _threshold(rule.score(own, setting))
            yield {"rule": rule.name, "accepted": _share(rule.score(asked, setting), threshold)}
