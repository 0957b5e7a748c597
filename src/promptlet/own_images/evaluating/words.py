"""An evaluation in words: what is said of it in a terminal and on its page."""

from __future__ import annotations

from collections.abc import Sequence

from promptlet.errors import listed
from promptlet.evaluation import ClassScores, Confused
from promptlet.own_images.evaluating.result import Evaluation

CLASS_HEAD = ("class", "found, %", "right when said, %", "F1, %", "images", "said")
SURE = 5.0
"""Percentage points between what is claimed and what is right, from which on it is called too much."""


def headline(found: Evaluation) -> str:
    """The accuracy, with its interval."""
    hits = int(found.hits.sum())
    return (
        f"{found.accuracy:.1f} % right: {hits:,} of {counted(len(found.images), 'image')} of "
        f"{len(found.class_names)} classes"
    )


def between(found: Evaluation) -> str:
    """The interval, beside what needs no prompt."""
    return (
        f"on more such images most likely {found.low:.1f} to {found.high:.1f} % (95 % interval); by chance "
        f"{found.chance:.1f} %, always the largest class {found.majority:.1f} %"
    )


def against_names(found: Evaluation) -> str:
    """What was gained over the class names alone; nothing where that is not known."""
    if found.zero_shot is None or found.gain_low is None or found.gain_high is None:
        return ""
    gain = found.accuracy - found.zero_shot
    sure = (
        "surely better"
        if found.gain_low > 0
        else "surely worse"
        if found.gain_high < 0
        else "no sure difference"
    )
    return (
        f"the class names alone (zero-shot): {found.zero_shot:.1f} %; what was learned adds {gain:+.1f} "
        f"points ({found.gain_low:+.1f} to {found.gain_high:+.1f}: {sure})"
    )


def calibration(found: Evaluation) -> str:
    """How far probabilities can be believed."""
    claimed = 100.0 * float(found.confidence.mean())
    gap = claimed - found.accuracy
    verdict = "it claims too much" if gap > SURE else "it claims too little" if gap < -SURE else ""
    verdict = verdict or ("about as sure as it is right" if found.calibration_error <= SURE else "mixed")
    return (
        f"calibration error {found.calibration_error:.1f} %: {claimed:.1f} % probability on average, "
        f"{found.accuracy:.1f} % right ({verdict})"
    )


def left_out(found: Evaluation) -> list[str]:
    """What the numbers do not count, and classes that they say nothing of."""
    told = []
    if found.unknown_classes:
        number = sum(found.unknown_classes.values())
        names = listed(f"{name} ({count})" for name, count in found.unknown_classes.items())
        told.append(
            f"{counted(number, 'image')} of classes that were not asked are left out: {names}. Counted as "
            f"wrong, {found.strict_accuracy:.1f} % would be right"
        )
    if found.missing_classes:
        told.append(
            f"no image here is of {listed(found.missing_classes)}: nothing is known of "
            f"{'it' if len(found.missing_classes) == 1 else 'these'}"
        )
    if found.unreadable:
        told.append(f"{counted(len(found.unreadable), 'image')} could not be read and left out")
    return told


def pairs(confused: Sequence[Confused]) -> list[str]:
    """``5 of 16 "cat" taken for "dog"``."""
    return [f"{one.count:,} of {one.of:,} {one.true} taken for {one.said}" for one in confused]


def class_row(one: ClassScores) -> tuple[str, ...]:
    """The cells of a class, below `CLASS_HEAD`."""
    return (
        one.name,
        _share(one.recall, one.recall_low, one.recall_high),
        _share(one.precision, one.precision_low, one.precision_high),
        percent(one.f1),
        f"{one.count:,}",
        f"{one.said:,}",
    )


def by_f1(classes: Sequence[ClassScores]) -> list[ClassScores]:
    """The worst first; those without images last."""
    return sorted(classes, key=lambda one: (one.f1 is None, one.f1 or 0.0, one.name))


def percent(value: float | None) -> str:
    """One decimal, or a dash."""
    return "-" if value is None else f"{value:.1f}"


def counted(number: int, thing: str) -> str:
    """``1 image``, ``1,200 images``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _share(value: float | None, low: float | None, high: float | None) -> str:
    return "-" if value is None else f"{value:.1f} [{low:.0f}, {high:.0f}]"
