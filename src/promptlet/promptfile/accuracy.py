"""How often a prompt is right, as its file tells among the facts of its training: in words that people read
and programs, too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ESTIMATE, TEST = "estimate", "test"
"""The keys of ``training``: on other images, as the taught ones let expect; on test images."""
_FORM = re.compile(
    r"(?:(?P<way>[a-z]+): )?(?P<accuracy>\d{1,3}\.\d) % \((?P<low>\d{1,3}\.\d) to (?P<high>\d{1,3}\.\d)\) "
    r"of (?P<images>\d{1,9}) images"
)


@dataclass(frozen=True)
class Accuracy:
    """accuracy, low, high: in percent, with its interval of 95 %; images: how many were asked about; way: how
    an estimate was made, "cv", "holdout" or "undrawn", and "" for test images."""

    accuracy: float
    low: float
    high: float
    images: int
    way: str = ""

    def __str__(self) -> str:
        way = f"{self.way}: " if self.way else ""
        return f"{way}{self.accuracy:.1f} % ({self.low:.1f} to {self.high:.1f}) of {self.images} images"


def record_of(accuracy: Any) -> dict[str, str]:
    """What is stored of an estimate of `promptlet.own_images`, or of an object with the fields of `Accuracy`;
    nothing where its accuracy is None."""
    if getattr(accuracy, "accuracy", None) is None:
        return {}
    way = accuracy.way
    told = Accuracy(accuracy.accuracy, accuracy.low, accuracy.high, accuracy.images, way)
    return {ESTIMATE if way else TEST: str(told)}


def accuracies_of(training: Mapping[str, Any]) -> dict[str, Accuracy]:
    """Those that ``training`` tells, by key; what is written otherwise is none."""
    found: dict[str, Accuracy] = {}
    for key in (TEST, ESTIMATE):
        match = _FORM.fullmatch(str(training.get(key, "")))
        if match is not None:
            numbers = [float(match[name]) for name in ("accuracy", "low", "high")]
            found[key] = Accuracy(
                numbers[0], numbers[1], numbers[2], int(match["images"]), match["way"] or ""
            )
    return found
