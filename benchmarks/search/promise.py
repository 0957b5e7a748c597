"""Whether a promised precision is kept: in folders like the labelled images, and in others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.search.beds import Bed, Part
from benchmarks.search.classes import SAME, drawn, folders, half, learner
from promptlet import rng
from promptlet.classifier.learner import PromptLearner
from promptlet.own_images.estimating.estimate import FEWER_FOLDS, usable_folds
from promptlet.own_images.estimating.out_of_fold import out_of_fold
from promptlet.own_images.material import Material
from promptlet.search.precision import counting
from promptlet.search.precision.teaching import OTHER_CLASSES, STRANGERS, of_logits
from promptlet.search.question import Question

Row = dict[str, Any]
ASKED = (0.5, 0.8, 0.9, 0.95)
STRANGE = (0, 100, 300, 1000)
"""Photos of the folder that show none of the classes, put among the labelled ones."""


def rows(given: Bed, method: str, progress: Callable[[str], None]) -> Iterator[Row]:
    """Of one bed, every taught class asked for by itself."""
    for whole in (True, False):
        taught = np.arange(len(given.names)) if whole else half(given)
        progress(f"{given.name}: promises of {len(taught)} classes")
        classifier, classes = learner(given.name, tuple(taught), method)
        part = drawn(given, taught)
        logits = _out_of_fold(classifier, given, taught, part)
        for folder, own in folders(given, taught, "test"):
            if whole == (folder == SAME):
                for strange in STRANGE[:1] if folder == SAME else STRANGE:
                    yield from _of_folder(given, method, folder, own, classes, logits, part.y, strange)


def _out_of_fold(classifier: PromptLearner, given: Bed, taught: np.ndarray, part: Part) -> np.ndarray:
    assert given.backbone is not None
    names = tuple(given.names[label] for label in taught)
    shares = np.full(len(names), 1 / len(names))
    hashes = ("",) * len(part.y)
    material = Material(tuple(part.x), part.y, np.array(names), names, hashes, part.x[None], shares)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return out_of_fold(classifier, given.backbone, material, usable_folds(material, FEWER_FOLDS)).logits


def _of_folder(
    given: Bed,
    method: str,
    folder: str,
    own: Part,
    classes: np.ndarray,
    logits: np.ndarray,
    labels: np.ndarray,
    strange: int,
) -> Iterator[Row]:
    """A row for each precision that is asked for, over all classes."""
    strangers = np.flatnonzero(own.y < 0)
    if len(strangers) < 2 * strange:
        return
    given_ = rng.generator(f"search-strangers/{given.name}", 0).permutation(strangers)[:strange]
    left = np.setdiff1d(np.arange(len(own.y)), given_)
    told: dict[float, list[tuple[int, int]]] = {asked: [] for asked in ASKED}
    refused = right = 0
    for row in range(len(classes)):
        others = np.delete(classes, row, axis=0)
        question = Question(classes[row] - others.mean(0), others - others.mean(0), given.scale)
        order = [row, *(place for place in range(len(classes)) if place != row)]
        taught = of_logits(question, logits[:, order])
        scores = question.scores(own.x @ question.matrix)
        kinds = {OTHER_CLASSES: taught[labels != row]}
        if strange:
            kinds[STRANGERS] = scores[given_]
        is_right = own.y[left] == row
        right += int(is_right.sum())
        if counting.unlike(scores[left], taught[labels == row], kinds) > counting.FAR:
            refused += 1
            continue
        for asked in ASKED:
            kept = counting.keep(scores[left], kinds, asked).rows
            told[asked].append((len(kept), int(is_right[kept].sum())))
    for asked, counts in told.items():
        some = [(count, hits) for count, hits in counts if count]
        yield {
            "table": "promises",
            "bed": given.name,
            "method": method,
            "folder": folder,
            "images": len(left),
            "strangers": strange,
            "asked": asked,
            "classes": len(classes),
            "refused": refused,
            "told": len(some),
            "precision": np.mean([hits / count for count, hits in some]) if some else None,
            "precision_of_all": sum(h for _, h in some) / sum(c for c, _ in some) if some else None,
            "recall": sum(hits for _, hits in some) / max(right, 1),
        }
