"""One training by one recipe on one problem: a row."""

from __future__ import annotations

import time
from typing import Any

import torch

from benchmarks.fast_schedule.problems import Draw, problem_of
from benchmarks.fast_schedule.recipes import Recipe, learn
from benchmarks.validation import Bed, Problem
from promptlet.evaluation import harmonic_mean
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.new_names import answering_by
from promptlet.protocols.planning import parse_methods


def measure(told: str, recipe: Recipe, bed: Bed, draw: Draw, start: int | None = None) -> dict[str, Any]:
    """``told``: a method, its options after a colon. start: the seed of its start, None: the draw's.

    Base and new are percent right among their own names, new names as the method answers them
    (``new_learned``: as learned); ``all``: all images among all names.
    """
    [(name, options)] = parse_methods(told)
    problem = problem_of(bed, draw)
    seed = draw.seed if start is None else start
    own = {"seed": seed} if "seed" in METHODS[name].info.options else {}
    method = build_method(name, bed.backbone, problem.taught, **options, **own)
    began = time.perf_counter()
    passes, loss = learn(method, recipe, problem.x, problem.y)
    seconds = time.perf_counter() - began
    scores = _scores(method, problem)
    learned = scores["new"]
    if method.new_names not in (None, "learned"):
        with answering_by(method, "learned"):
            learned = _right(method, problem, "new")
    return {
        "bed": bed.name,
        **draw._asdict(),
        "start": seed,
        "method": told,
        "recipe": recipe.told(),
        "passes": passes,
        "loss": round(loss, 5),
        **scores,
        "H": round(harmonic_mean(scores["base"], scores["new"]), 3),
        "new_learned": learned,
        "seconds": round(seconds, 3),
    }


def _scores(method: Method, problem: Problem) -> dict[str, float]:
    return {part: _right(method, problem, part) for part in ("base", "new", "all")}


def _right(method: Method, problem: Problem, part: str) -> float:
    count = len(problem.taught)
    is_taught = problem.val_y < count
    names, rows, first = {
        "base": (problem.taught, is_taught, 0),
        "new": (problem.new, ~is_taught, count),
        "all": (problem.taught + problem.new, torch.ones_like(is_taught), 0),
    }[part]
    method.set_classes(names)
    answers = method.scorer()(problem.val_x[rows]).argmax(1).cpu()
    return round(100.0 * float((answers == problem.val_y[rows] - first).float().mean()), 3)
