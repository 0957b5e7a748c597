"""Plain values as JSON holds them, read one by one: each is checked, and named where it is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from promptlet.errors import ExportError, PromptFileError
from promptlet.promptfile.strict_json import check_text, read_json, shorten

MOST_CONTAINERS = 1 << 20
"""Lists and objects of one text: each takes many times the room that it takes in the text."""


class Fields:
    """An object of JSON. Every reader takes a field out, and raises ExportError naming it; `end` at last."""

    def __init__(self, value: object, where: str = "") -> None:
        self.where = where
        if not isinstance(value, dict):
            raise ExportError(f"{where or 'it'} must be an object, not {shorten(value)}")
        self._left: dict[str, Any] = dict(value)

    def wrong(self, field: str, allowed: str, value: object) -> NoReturn:
        """Raise the error for a field that is not what it may be."""
        raise ExportError(f"{self._place(field)} must be {allowed}, not {shorten(value)}")

    def _place(self, field: str) -> str:
        return f"{self.where}.{field}" if self.where else field

    def take(self, field: str) -> Any:
        """Whatever it is."""
        if field not in self._left:
            raise ExportError(f"{self._place(field)} is missing")
        return self._left.pop(field)

    def text(self, field: str, pattern: re.Pattern[str] | None = None, allowed: str = "") -> str:
        """A text of 1 to 1024 characters; of a pattern, which is ``allowed`` in words."""
        value = _checked_text(self.take(field), self._place(field))
        if pattern is not None and not pattern.fullmatch(value):
            self.wrong(field, allowed, value)
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of texts, none of them twice."""
        return checked_texts(self.take(field), self._place(field))

    def choice(self, field: str, allowed: Sequence[str]) -> str:
        """One of some words."""
        value = self.take(field)
        if value not in allowed:
            self.wrong(field, " or ".join(map(repr, allowed)), value)
        return str(value)

    def whole(self, field: str, most: int, least: int = 1) -> int:
        """A whole number."""
        value = self.take(field)
        if type(value) is not int or not least <= value <= most:
            self.wrong(field, f"a whole number from {least:,} to {most:,}", value)
        return value

    def number(self, field: str, least: float, most: float) -> float:
        """A finite number within bounds."""
        value = self.take(field)
        if not is_number(value) or not least <= value <= most:
            self.wrong(field, f"a number from {least:g} to {most:g}", value)
        return float(value)

    def optional(self, field: str) -> bool:
        """Whether there is something: a field that is null is taken out."""
        if field in self._left and self._left[field] is None:
            del self._left[field]
            return False
        return True

    def inner(self, field: str) -> Fields:
        """An object in it."""
        return Fields(self.take(field), self._place(field))

    def items(self, field: str, most: int) -> list[Any]:
        """A list of up to so many values."""
        value = self.take(field)
        if not isinstance(value, list) or len(value) > most:
            self.wrong(field, f"a list of up to {most:,} values", value)
        return value

    def names(self) -> list[str]:
        """Of the fields that nobody asked for yet."""
        return list(self._left)

    def end(self) -> None:
        """Raise ExportError where something is left that nobody asked for."""
        if self._left:
            raise ExportError(
                f"{self.where or 'it'} has {shorten(sorted(map(str, self._left)))}, which this format does "
                "not have"
            )


def checked_texts(value: object, what: str) -> tuple[str, ...]:
    """Texts of 1 to 1024 characters, none of them twice. Raises ExportError."""
    if not isinstance(value, list | tuple):
        raise ExportError(f"{what} must be a list of texts, not {shorten(value)}")
    seen: set[str] = set()
    for one in value:
        if _checked_text(one, f"a text of {what}") in seen:
            raise ExportError(f"{what} has {shorten(one)} twice")
        seen.add(one)
    return tuple(value)


def is_number(value: object) -> bool:
    """Whether this is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def strict_object(text: str, what: str) -> dict[str, Any]:
    """The object of a JSON text, without duplicate keys, NaN or giant numbers. Raises ExportError."""
    if text.count("[") + text.count("{") > MOST_CONTAINERS:
        raise ExportError(f"{what} has more than {MOST_CONTAINERS:,} lists and objects")
    try:
        value = read_json(text, what)
    except PromptFileError as error:
        raise ExportError(str(error)) from None
    if not isinstance(value, dict):
        raise ExportError(f"{what} is no object, but {shorten(value)}")
    return value


def check_format(facts: Mapping[str, Any], name: str, version: int, what: str) -> None:
    """Raise ExportError where these are not the facts of a format, or of a version that is not known."""
    told = facts.get("format")
    if told != name:
        raise ExportError(f"it is no {what}: its format is {shorten(told)}, expected {name!r}")
    number = facts.get("version")
    if type(number) is int and number > version:
        raise ExportError(
            f"it was made by a newer Promptlet: version {number} of {name}, this one reads {version}; "
            "upgrade with: pip install -U promptlet"
        )
    if type(number) is not int or number != version:
        raise ExportError(f"version must be {version}, not {shorten(number)}")


def _checked_text(value: object, what: str) -> str:
    try:
        return check_text(value, what)
    except PromptFileError as error:
        raise ExportError(str(error)) from None
