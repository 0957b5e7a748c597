"""What was read from a file, checked against a type once, so that later code meets no other."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from msgspec import Meta, ValidationError, convert

from promptlet.errors import shown

LARGEST = 2**63 - 1
Count = Annotated[int, Meta(ge=0, le=LARGEST)]
"""A whole number that tables and figures can hold."""
Finite = Annotated[float, Meta(ge=-1e300, le=1e300)]
"""A number that sums and squares of rows do not take beyond what a float holds; neither NaN nor a truth."""
DEEPEST = 20
"""Lists and objects within each other that are followed; what a file of ours holds has 4 levels at most."""
SHOWN = 140
"""Characters of a value that a message shows: the longest key of a run has less."""
WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
EXPECTED = re.compile(r"Expected (`[^`]+`(?: of length)?(?: [<>]=? \S+)?)")
STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")


def what_is_wrong(value: object, expected: Any) -> str:
    """What of ``value`` is not as the type ``expected`` has it, or an empty text.

    In words, with its place: ``seeds[1] is 'x', expected a whole number``; ``key is missing``. Names that the
    type does not have may hold anything.
    """
    try:
        convert(value, expected)
    except ValidationError as error:
        return _in_words(value, str(error))
    except UnicodeEncodeError:  # by halves of characters, which names of files may have
        return what_is_wrong(_whole(value), expected)
    return ""


def _whole(value: Any) -> Any:
    """The same with a question mark in the place of each half of a character."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value


def no_json(value: object, place: str = "") -> str:
    """What keeps ``value`` from being written as JSON that every reader takes, or an empty text:
    ``notes[0] is nan, which JSON does not have``."""
    if isinstance(value, dict):
        odd = next((name for name in value if not isinstance(name, str)), None)
        if odd is not None:
            return f"{place or 'it'} has the name {shown(odd)}, which is no text"
        found = (no_json(one, f"{place}.{name}".removeprefix(".")) for name, one in value.items())
        return next(filter(None, found), "")
    if isinstance(value, list | tuple):
        return next(filter(None, (no_json(one, f"{place}[{i}]") for i, one in enumerate(value))), "")
    if value is None or isinstance(value, str | bool | int):
        return ""
    if isinstance(value, float) and math.isfinite(value):
        return ""
    return f"{place or 'it'} is {shown(value)}, which JSON does not have"


def is_deep(value: object, left: int = DEEPEST) -> bool:
    """Whether lists and objects are nested in each other more than ``left`` times: what follows them would
    run out of stack."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return left == 0 or any(is_deep(one, left - 1) for one in inner)


def _in_words(value: object, message: str) -> str:
    what, _, place = message.partition(" - at `")
    place = place.partition("`")[0].removeprefix("$")
    missing = re.search(r"missing required field `([^`]+)`", what)
    if missing:
        return f"{f'{place}.{missing[1]}'.removeprefix('.')} is missing"
    path, inner, is_there = _follow(value, place)
    path = path or "it"
    if not is_there:
        return f"{path} is {shown(inner, SHOWN)}, of which a value is not {_allowed(what)}"
    if what.startswith("Invalid enum value"):
        return f"{path} is {shown(inner, SHOWN)}, which is not known"
    is_odd = isinstance(inner, float) and not math.isfinite(inner)
    return f"{path} is {shown(inner, SHOWN)}, expected {'a finite number' if is_odd else _allowed(what)}"


def _allowed(what: str) -> str:
    found = EXPECTED.match(what)
    return re.sub(r"`([^`]+)`", _types, found[1]) if found else "a finite number"


def _types(found: re.Match[str]) -> str:
    return " or ".join(WORDS.get(name, name) for name in found[1].split(" | "))


def _follow(value: Any, place: str) -> tuple[str, Any, bool]:
    """The place as far as it can be followed by name or number, what is there, and whether that is all of
    it."""
    path, rest = "", place
    while step := STEP.match(rest):
        value = value[step[1] or int(step[2])]
        path, rest = path + step[0], rest[step.end() :]
    return path.removeprefix("."), value, not rest
