"""From probabilities to what is said of an image: a class, or none of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Rule:
    """How many of the likeliest classes are told, and what makes the answer none of them: a probability below
    the threshold; that the image is not among the percentage of own images that are to be accepted."""

    top: int = 1
    threshold: float | None = None
    accept: bool | float | None = None


@dataclass(frozen=True)
class Answer:
    """Of one image. class_name: None where it is none of the classes; top: the likeliest, with their
    probabilities; probabilities: of all classes (C,), in the order of the names asked."""

    path: str
    class_name: str | None
    top: tuple[tuple[str, float], ...]
    probabilities: np.ndarray

    def facts(self, all_names: Sequence[str] | None = None) -> dict[str, Any]:
        """The same as plain values, for JSON: the likeliest, or the probabilities of ``all_names``."""
        told = {"path": self.path, "class_name": self.class_name}
        if all_names is None:
            return {**told, "top": [{"class_name": name, "probability": p} for name, p in self.top]}
        return {
            **told,
            "probabilities": dict(zip(all_names, map(float, self.probabilities), strict=True)),
        }


def decide(
    path: str, probabilities: np.ndarray, names: Sequence[str], rule: Rule, is_accepted: bool = True
) -> Answer:
    """What is said of an image with these probabilities (C,); is_accepted: whether it is like own ones."""
    best = (-probabilities).argsort(kind="stable")[: rule.top]
    top = tuple((names[i], float(probabilities[i])) for i in best)
    likeliest, probability = top[0]
    is_one = is_accepted and (rule.threshold is None or probability >= rule.threshold)
    return Answer(path, likeliest if is_one else None, top, probabilities)
