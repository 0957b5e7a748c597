"""The answers of a classifier to many images: one that cannot be read costs itself alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from promptlet.classifier import PromptClassifier
from promptlet.errors import ImageError, PromptletError
from promptlet.reasons import reason_of

BATCH = 128


def ask(
    classifier: PromptClassifier,
    sources: Sequence[Any],
    names: tuple[str, ...],
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[int], np.ndarray, dict[int, str]]:
    """Rows that were answered, their probabilities (N, C), and by row why others were not.

    Raises PromptletError for what is expected and is of no image.
    """
    found: dict[int, np.ndarray] = {}
    wrong: dict[int, str] = {}
    for start in range(0, len(sources), BATCH):
        rows = list(range(start, min(start + BATCH, len(sources))))
        _ask(classifier, sources, rows, names, found, wrong)
        if on_progress is not None:
            on_progress(rows[-1] + 1, len(sources))
    answered = sorted(found)
    stacked = np.stack([found[row] for row in answered]) if answered else np.zeros((0, len(names)))
    return answered, stacked, wrong


def _ask(
    classifier: PromptClassifier,
    sources: Sequence[Any],
    rows: list[int],
    names: tuple[str, ...],
    found: dict[int, np.ndarray],
    wrong: dict[int, str],
) -> None:
    """All rows at once; where that fails, by halves, so that few bad images cost few calls."""
    try:
        answers = classifier.predict_proba([sources[row] for row in rows], class_names=names)
        found.update(zip(rows, answers, strict=True))
    except Exception as error:
        if isinstance(error, PromptletError) and not isinstance(error, ImageError):
            raise  # of no image: a backbone that answers no numbers, features of another width
        if len(rows) == 1:
            wrong[rows[0]] = reason_of(error)
            return
        middle = len(rows) // 2
        for half in (rows[:middle], rows[middle:]):
            _ask(classifier, sources, half, names, found, wrong)
