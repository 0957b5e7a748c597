"""Many images through a classifier: whatever one of them raises is its own reason, and the others go on."""

from __future__ import annotations

from collections.abc import Sequence

from promptlet.classifier import PromptClassifier
from promptlet.errors import ImageError, PromptletError
from promptlet.reasons import reason_of

Answers = dict[str, list[tuple[str, float]]]
"""By path: the likeliest names with their probabilities."""


def answer(
    classifier: PromptClassifier, paths: Sequence[str], names: tuple[str, ...], top: int
) -> tuple[Answers, dict[str, str]]:
    """The likeliest classes of each image, and reasons by path; a bad image is found by trying one by one.

    Raises PromptletError for what is expected, is of no image, and meets them all: a backbone that answers
    no numbers, say.
    """
    try:
        return _together(classifier, paths, names, top), {}
    except Exception as error:
        if len(paths) == 1 and not _is_of_all([error]):
            return {}, {paths[0]: reason_of(error)}
        if len(paths) == 1:
            raise
    found: Answers = {}
    wrong: dict[str, Exception] = {}
    for path in paths:
        try:
            found |= _together(classifier, [path], names, top)
        except Exception as error:
            wrong[path] = error
    if not found and _is_of_all(list(wrong.values())):
        raise next(iter(wrong.values()))
    return found, {path: reason_of(error) for path, error in wrong.items()}


def _is_of_all(errors: Sequence[Exception]) -> bool:
    """Whether it is one expected error that says nothing of an image."""
    expected = all(
        isinstance(error, PromptletError) and not isinstance(error, ImageError) for error in errors
    )
    return expected and len({str(error) for error in errors}) == 1


def _together(
    classifier: PromptClassifier, paths: Sequence[str], names: tuple[str, ...], top: int
) -> Answers:
    rows = classifier.predict_proba(list(paths), class_names=names)
    best = (-rows).argsort(axis=1, kind="stable")[:, :top]
    return {
        path: [(names[i], float(row[i])) for i in order]
        for path, row, order in zip(paths, rows, best, strict=True)
    }
