"""A result that was read from a file: it is what a training made, or nothing is taken of it."""

from __future__ import annotations

from typing import Any

import msgspec

from promptlet.errors import OptionError
from promptlet.teach.learning.results.shapes import Matrix, Result, Suspicious, as_result

WRONG = "this is no result of a training that this version knows"


def checked_result(given: Any) -> dict[str, Any]:
    """The result as plain values. Raises OptionError for what cannot be right; it says where."""
    try:
        found = as_result(given)
    except msgspec.ValidationError as error:
        raise OptionError(f"{WRONG} ({error}); train again").keyed("result-wrong") from None
    reason = _why_not(found)
    if reason:
        raise OptionError(f"{WRONG} ({reason}); train again").keyed("result-wrong")
    told: dict[str, Any] = msgspec.to_builtins(found)
    return told


def _why_not(found: Result) -> str:
    if found.matrix is not None and not _is_square(found.matrix):
        return "its matrix has not a row and a column for each class"
    curve = found.curve
    if curve is not None and not len(curve.shots) == len(curve.percent) == len(curve.low) == len(curve.high):
        return "its curve has not a number for each point"
    if not all(map(_is_about_itself, found.suspicious)):
        return "a repair is not of the images that it is about"
    return ""


def _is_square(matrix: Matrix) -> bool:
    size = len(matrix.classes)
    return len(matrix.counts) == size and all(len(row) == size for row in matrix.counts)


def _is_about_itself(one: Suspicious) -> bool:
    """What a click does is done to the images that are shown with it."""
    return set(getattr(one.repair, "images", ())) <= set(one.images)
