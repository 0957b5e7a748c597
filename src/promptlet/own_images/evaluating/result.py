"""What is to be told of a classifier that was judged on labelled images, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from promptlet.evaluation import (
    Answered,
    Bin,
    ClassScores,
    Confused,
    at_thresholds,
    class_scores,
    confused_pairs,
    confusion_matrix,
    reliability,
)

PLAIN = (
    *("data", "part", "accuracy", "low", "high", "strict_accuracy", "macro_f1", "calibration_error"),
    *("chance", "majority", "zero_shot", "gain_low", "gain_high", "unknown_classes"),
)
"""Numbers and words of an `Evaluation` that are told as they are."""


@dataclass(frozen=True)
class Judged:
    """One image: its path, its label, the class that was said, with what probability (0 to 1).

    right: None where its label is none of the classes that were asked. source: the image itself.
    """

    path: str
    label: str
    said: str
    probability: float
    right: bool | None
    source: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, repr=False)
class Evaluation:
    """A classifier on labelled images; numbers in percent.

    data, part: what it was judged on. class_names: the classes that it answered among. images: those of these
    classes, on which all numbers are counted. strangers: images of other classes, which no answer can be
    right on. unreadable: reasons by path. unknown_classes: how many images each class has that is none of
    those asked. missing_classes: classes without an image here. low, high: the interval that holds the
    accuracy on more such images in about 95 of 100 cases (Wilson). strict_accuracy: with strangers counted as
    wrong, as `PromptClassifier.score` does. chance: 100 / C. majority: the accuracy of always saying the
    class with the most images. zero_shot: the accuracy of the class names alone; gain_low, gain_high: the
    interval of how much better than that the prompt is (`paired_difference`); None where nothing is known of
    it. notes: what its reader should know, as sentences.
    """

    data: str
    part: str
    class_names: tuple[str, ...]
    images: tuple[Judged, ...]
    strangers: tuple[Judged, ...]
    unreadable: dict[str, str]
    unknown_classes: dict[str, int]
    missing_classes: tuple[str, ...]
    accuracy: float
    low: float
    high: float
    strict_accuracy: float
    macro_f1: float
    calibration_error: float
    chance: float
    majority: float
    zero_shot: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def matrix(self) -> np.ndarray:
        """How often each class (rows) was said to be each (columns), (C, C) int64, as `class_names`."""
        place = {name: index for index, name in enumerate(self.class_names)}
        labels, said = ([place[name] for name in names] for names in zip(*self._named, strict=True))
        return confusion_matrix(np.array(labels), np.array(said), len(place))

    @cached_property
    def classes(self) -> tuple[ClassScores, ...]:
        """The scores of each class."""
        return class_scores(self.matrix, self.class_names)

    @cached_property
    def reliability(self) -> tuple[Bin, ...]:
        """What is right among answers of so much confidence."""
        return reliability(self.confidence, self.hits)

    @cached_property
    def thresholds(self) -> tuple[Answered, ...]:
        """What is answered, and how often rightly, where less confident answers are held back."""
        return at_thresholds(self.confidence, self.hits)

    @property
    def confidence(self) -> np.ndarray:
        """The probability of each answer (N,)."""
        return np.array([one.probability for one in self.images])

    @property
    def hits(self) -> np.ndarray:
        """Which answers are right (N,)."""
        return np.array([one.right for one in self.images], bool)

    def confused(self, most: int = 10) -> tuple[Confused, ...]:
        """The pairs of classes that are confused most often."""
        return confused_pairs(self.matrix, self.class_names, most)

    def worst(self, most: int = 10) -> tuple[Judged, ...]:
        """Images that were answered wrongly, the most confident answers first."""
        wrong = [one for one in self.images if not one.right]
        return tuple(sorted(wrong, key=lambda one: (-one.probability, one.path))[:most])

    def facts(self) -> dict[str, Any]:
        """The same as plain values, for JSON; of images only the wrong ones."""
        return {
            **{name: getattr(self, name) for name in PLAIN},
            "images": len(self.images),
            "right": int(self.hits.sum()),
            "missing_classes": list(self.missing_classes),
            "unreadable": [{"path": path, "reason": reason} for path, reason in self.unreadable.items()],
            "classes": [asdict(one) for one in self.classes],
            "confused": [asdict(one) for one in self.confused(len(self.images))],
            "reliability": [asdict(one) for one in self.reliability],
            "thresholds": [asdict(one) for one in self.thresholds],
            "wrong": [
                {"path": one.path, "label": one.label, "said": one.said, "probability": one.probability}
                for one in self.worst(len(self.images))
            ],
            "notes": list(self.notes),
        }

    @property
    def _named(self) -> list[tuple[str, str]]:
        return [(one.label, one.said) for one in self.images]

    def __repr__(self) -> str:
        return (
            f"<Evaluation: {self.accuracy:.1f} % ({self.low:.1f} to {self.high:.1f}) of {len(self.images)} "
            f"images of {len(self.class_names)} classes are right>"
        )
