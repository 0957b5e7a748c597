"""Many images looked at together: a bad one is found and costs itself alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from promptlet.errors import ImageError, OptionError, PromptletError
from promptlet.reasons import reason_of

S = TypeVar("S")
R = TypeVar("R")


def ask(look: Callable[[list[S]], Sequence[R]], sources: Sequence[S]) -> tuple[dict[int, R], dict[int, str]]:
    """What ``look`` says of each image, by its place in ``sources``, and by place why others have no answer.

    Raises PromptletError for what is expected, is of no image, and meets them all: a backbone that answers
    no numbers, say.
    """
    found: dict[int, R] = {}
    wrong: dict[int, Exception] = {}
    _ask(look, sources, list(range(len(sources))), found, wrong)
    if not found and _is_of_all(list(wrong.values())):
        raise next(iter(wrong.values()))
    return found, {place: reason_of(error) for place, error in wrong.items()}


def _ask(
    look: Callable[[list[S]], Sequence[R]],
    sources: Sequence[S],
    places: list[int],
    found: dict[int, R],
    wrong: dict[int, Exception],
) -> None:
    """All at once; where that fails, by halves, so that few bad images cost few calls."""
    if not places:
        return
    try:
        found.update(zip(places, look([sources[place] for place in places]), strict=True))
    except OptionError:  # of no image
        raise
    except Exception as error:
        if len(places) == 1:
            wrong[places[0]] = error
            return
        half = len(places) // 2
        _ask(look, sources, places[:half], found, wrong)
        _ask(look, sources, places[half:], found, wrong)


def _is_of_all(errors: Sequence[Exception]) -> bool:
    """Whether it is one expected error that says nothing of an image."""
    expected = all(
        isinstance(error, PromptletError) and not isinstance(error, ImageError) for error in errors
    )
    return bool(errors) and expected and len({str(error) for error in errors}) == 1
