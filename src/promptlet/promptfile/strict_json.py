"""JSON as a prompt file may hold it: no duplicate keys, no NaN, no giant numbers, one way to write it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from promptlet.errors import PromptFileError

LARGEST_INT = 2**53 - 1  # what every JSON reader can hold exactly


def write_json(value: object) -> str:
    """The shortest text, non-ASCII characters as themselves; keys stay in the order given."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_json(text: str, what: str) -> Any:
    """The value of ``text``, or a `PromptFileError` that says why ``what`` is not acceptable JSON."""
    try:
        return json.loads(
            text, object_pairs_hook=_without_duplicates, parse_int=_small_int, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise PromptFileError(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise PromptFileError(f"{what} is not valid JSON: {error}") from None


def check_text(value: object, what: str, limit: int = 1024) -> str:
    """``value`` when it is a text of 1 to ``limit`` characters that UTF-8 can hold."""
    if not isinstance(value, str) or not 1 <= len(value) <= limit:
        raise PromptFileError(f"{what} must be a text of 1 to {limit} characters, not {shorten(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PromptFileError(
            f"{what} holds a lone surrogate, which is no character: {shorten(value)}"
        ) from None
    return value


def shorten(value: object) -> str:
    """A printable picture of ``value`` for an error message: ASCII, 60 characters at most."""
    try:
        text = ascii(value[:80] if isinstance(value, str | bytes | list | tuple) else value)
    except RecursionError:
        return f"a {type(value).__name__} nested too deeply to be shown"
    return text if len(text) <= 60 else text[:57] + "..."


def _without_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shorten(key)} occurs twice")
        found[key] = value
    return found


def _small_int(text: str) -> int:
    if text == "-0":
        raise ValueError("-0 is no whole number to other readers")
    if len(text) > 17 or abs(int(text)) > LARGEST_INT:
        raise ValueError(f"the number {shorten(text)} is beyond 2**53 - 1")
    return int(text)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")
