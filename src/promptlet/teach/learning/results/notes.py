"""Sentences on what was learned, each with a key and values, by which a page says it in any language."""

from __future__ import annotations

from typing import Any, Final

from promptlet.errors import PromptletError
from promptlet.own_images.checking.run import NOT_COMPARED, NOT_LOOKED, ONLY_ONES
from promptlet.own_images.duplicates import MOST
from promptlet.own_images.estimating.estimate import ALL_COPIES, NO_SECOND
from promptlet.own_images.estimating.verdicts import guessing, worse_than_guessing, worse_than_names
from promptlet.own_images.judging import Asked

NOT_ASKED: Final = "not in the estimate"
HARDLY_BETTER: Final = (
    "This is hardly better than guessing: look whether photos are in their right classes, call classes what "
    "is seen in their photos, and add photos that differ"
)
NAMES_BETTER: Final = (
    "The names of the classes alone are right more often, so learning did harm: look whether photos are in "
    "their right classes"
)
NOT_CHECKED: Final = "photos were not checked"
REASONS: Final = {NO_SECOND: "no-second-photo", ALL_COPIES: "all-copies"}
"""Why nothing can be said of how good it is."""
Told = dict[str, Any]


def note(words: str, key: str = "", **values: Any) -> Told:
    """Plain values; a note without a key stays as it is."""
    return {"words": words, "key": key, "values": values}


def of_estimate(asked: Asked) -> list[Told]:
    """What the library's notes mean, in words of a page: nothing is said of commands. That an interval is
    wide is seen, and advised about."""
    found = asked.estimate
    guess = guessing(found.chance or 0.0, found.majority or 0.0)
    left_out = [one for one in found.notes if one.startswith(NOT_ASKED)]
    told = [note("; ".join(left_out), "not-estimated", classes=_never_asked(asked))] if left_out else []
    if worse_than_guessing(found.accuracy, guess):
        told.append(note(HARDLY_BETTER, "hardly-better"))
    if worse_than_names(found.high, found.zero_shot):
        told.append(note(NAMES_BETTER, "names-better"))
    return told


def _never_asked(asked: Asked) -> list[str]:
    material, answers = asked.material, asked.answers
    if answers is None:
        return []
    there = set(material.targets[answers.asked].tolist())
    return [name for place, name in enumerate(material.class_names) if place not in there]


def of_check(words: str) -> Told:
    """A note of the library's check."""
    if words == NOT_LOOKED:
        return note(words, "copies-not-looked", most=MOST)
    if words.startswith(NOT_COMPARED):
        return note(words, "labels-not-compared")
    count, _, rest = words.partition(" ")
    if rest == ONLY_ONES:
        return note(words, "only-ones", count=int(count))
    return note(words)


def unchecked(error: PromptletError) -> Told:
    """Where the check failed as a whole."""
    return note(f"{NOT_CHECKED}: {error}", "not-checked")


def reason_key(reason: str) -> str:
    """Of a reason; empty for one that stays as it is."""
    return REASONS.get(reason, "")
