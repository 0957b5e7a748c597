"""One page on what was learned: the library's page of an evaluation, by photos that were held back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from promptlet.own_images.evaluating.labelled import ALL, Labelled
from promptlet.own_images.evaluating.page import evaluation_html
from promptlet.own_images.evaluating.run import counted
from promptlet.teach.learning.refusals import NotNowError
from promptlet.teach.learning.results.answers import Answers
from promptlet.teach.projects.project import Seen

HELD_BACK: Final = (
    "each photo was asked of a training that it was held back from, so these numbers say how it will be with "
    "others; the prompt itself was then taught all of them"
)


def report_html(seen: Seen, result: dict[str, Any], answers: Answers | None) -> str:
    """Raises NotNowError where nothing could be asked."""
    accuracy = result["accuracy"]
    if answers is None or accuracy["percent"] is None:
        raise NotNowError(
            "there is no report: no photo could be held back and asked about. Give each class two different "
            "photos or more, train, then ask again"
        ).keyed("no-report")
    labels = [answers.class_names[row] for row in answers.targets]
    names = [
        f"{label}/{seen.names.get(image, image)}" for label, image in zip(labels, answers.images, strict=True)
    ]
    sources = [seen.path(image) if image in seen.images else f"{image} is gone" for image in answers.images]
    given = Labelled(
        seen.title,
        tuple(sources),
        tuple(names),
        tuple(labels),
        answers.class_names,
        ALL,
        (HELD_BACK, *(one["words"] for one in result["notes"])),
    )
    rows = list(range(len(sources)))
    found = counted(given, answers.class_names, labels, rows, _filled(answers.probabilities), {})
    found = replace(
        found,
        accuracy=accuracy["percent"],
        low=accuracy["low"],
        high=accuracy["high"],
        notes=given.notes,
    )
    return evaluation_html(found, seen.title, _made_of(result))


def _filled(probabilities: np.ndarray) -> np.ndarray:
    """Rows of sum 1: they are kept rounded."""
    return np.asarray(probabilities / np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-6))


def _made_of(result: dict[str, Any]) -> list[str]:
    """Facts, as sentences."""
    zero_shot = result.get("zero_shot")
    return [
        str(result["why"]).rstrip("."),
        f"method {result['method']}, {result['numbers']:,} learned numbers, {result['bytes']:,} bytes",
        *([] if zero_shot is None else [f"the class names alone: {zero_shot:.1f} % of the same photos"]),
    ]
