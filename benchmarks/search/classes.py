"""By a class of a prompt: among images of its classes, of others, and of another data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from benchmarks.search.beds import Bed, Part, average_precision, bed
from benchmarks.search.forms import of_classes
from promptlet import rng
from promptlet.classifier import PromptLearner

Row = dict[str, Any]
SHOTS = 16
NAMES = "names alone"
METHODS = (NAMES, "rlp", "coop")
OTHER = {
    "realbed caltech101": ("realbed", "imagenet_samples"),
    "realclip caltech101": ("realclip", "oxford_pets"),
    "realclip oxford_pets": ("realclip", "caltech101"),
    "realclip ucf101": ("realclip", "oxford_pets"),
}
"""Whose images lie beside in the folder of another kind."""
SAME, MORE, FAR = "its classes", "as many classes more", "another data set beside"


def rows(given: Bed, quick: bool, progress: Callable[[str], None]) -> Iterator[Row]:
    """Of one bed: half of the classes are taught, by a fixed draw."""
    taught = half(given)
    for method in METHODS[:1] if quick or given.backbone is None else METHODS:
        progress(f"{given.name}: {method}")
        classes = matrix(given, taught, method)
        for part in ("val", "test"):
            for folder, own in folders(given, taught, part):
                found: dict[str, list[float]] = {}
                for row in range(len(taught)):
                    if (own.y == row).any():
                        scores = of_classes(own.x, classes, row, given.scale)
                        for form, one in scores.items():
                            found.setdefault(form, []).append(average_precision(one, own.y == row))
                who = {"table": "classes", "bed": given.name, "part": part, "method": method}
                for form, values in found.items():
                    yield {**who, "folder": folder, "form": form, "average_precision": np.mean(values)}


def half(given: Bed) -> np.ndarray:
    """Labels of the classes that are taught."""
    count = len(given.names)
    order = rng.generator(f"search-classes/{given.name}", 0).permutation(count)
    return np.sort(order[: count // 2])


def drawn(given: Bed, taught: np.ndarray) -> Part:
    """16 training images of each taught class, with their places among these as labels."""
    found = []
    for label in taught:
        own = np.flatnonzero(given.train.y == label)
        order = rng.generator(f"search-shots/{given.name}/{label}", 1).permutation(len(own))
        found.append(own[order[:SHOTS]])
    chosen = np.concatenate(found)
    return Part(given.train.x[chosen], np.searchsorted(taught, given.train.y[chosen]))


def matrix(given: Bed, taught: np.ndarray, method: str) -> np.ndarray:
    """Class features (C, D)."""
    return given.texts[taught] if method == NAMES else learner(given.name, tuple(taught), method)[1]


@cache
def learner(name: str, taught: tuple[int, ...], method: str) -> tuple[PromptLearner, np.ndarray]:
    """A prompt of these classes, and its class features in their order."""
    given = bed(*name.split(" "))
    part = drawn(given, np.array(taught))
    names = [given.names[label] for label in taught]
    assert given.backbone is not None
    classifier = PromptLearner(given.backbone, method, cache=False, verbose=False)
    classifier.fit(list(part.x), [names[label] for label in part.y])
    return classifier, classifier.class_features(names)


def folders(given: Bed, taught: np.ndarray, part: str) -> Iterator[tuple[str, Part]]:
    """Images that are searched, with places among the taught classes as labels, -1 for the others."""
    own = given.part(part)
    is_taught = np.isin(own.y, taught)
    labels = np.where(is_taught, np.searchsorted(taught, own.y), -1)
    yield SAME, Part(own.x[is_taught], labels[is_taught])
    yield MORE, Part(own.x, labels)
    if given.name in OTHER:
        far = bed(*OTHER[given.name]).all
        yield FAR, Part(np.concatenate([own.x, far.x]), np.concatenate([labels, np.full(len(far.y), -1)]))
