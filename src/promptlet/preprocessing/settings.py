"""Numbers and sizes in the settings of an image preprocessor, each checked, named where one is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from PIL import Image

from promptlet.errors import BackboneError

MOST_SIDE = 4096
MOST_PATCHES = 1 << 16
CHANNELS = 3
LEAST_DEVIATION, MOST_DEVIATION, MOST_MEAN = 1e-4, 1e4, 1e3


class Settings:
    """Settings by field. Every reader raises BackboneError naming ``where`` they stand and the field."""

    def __init__(self, fields: Mapping[str, Any], where: str) -> None:
        self.fields = fields
        self.where = where

    def wrong(self, field: str, allowed: str) -> BackboneError:
        """The error for a field that is not what it may be."""
        if field not in self.fields:
            return BackboneError(f"{self.where} does not say {field!r}; write there {allowed}")
        return BackboneError(
            f"{self.where}: {field}={str(self.fields[field])[:80]}; allowed: {allowed}. "
            "Save the model's own image preprocessor beside it."
        )

    def flag(self, field: str, absent: bool, null: bool | None = None) -> bool:
        """True or false. Where ``null`` is told, as for steps that libraries save so, it stands for null."""
        value = self.fields.get(field, absent)
        if value is None and null is not None:
            return null
        if not isinstance(value, bool):
            raise self.wrong(field, "true or false")
        return value

    def number(self, field: str, absent: float, least: float, most: float) -> float:
        """A finite number within bounds."""
        value = self.fields.get(field, absent)
        if not _is_number(value) or not least <= value <= most:
            raise self.wrong(field, f"a number from {least:g} to {most:g}")
        return float(value)

    def whole(self, field: str, most: int, absent: int | None = None) -> int:
        """A whole number from 1 (with ``absent``: from 0)."""
        value = self.fields.get(field, absent)
        least = 1 if absent is None else 0
        if not _is_whole(value) or not least <= value <= most:
            raise self.wrong(field, f"a whole number from {least} to {most}")
        return int(value)

    def resample(self, absent: int) -> int:
        """How pixels are interpolated, as Pillow numbers it."""
        return self.whole("resample", max(Image.Resampling), absent)

    def means(self, field: str) -> tuple[float, ...]:
        """A number for each channel; one stands for all."""
        return self._channels(field, -MOST_MEAN, MOST_MEAN, "a finite number")

    def deviations(self, field: str) -> tuple[float, ...]:
        """As `means`; what is divided by is above zero."""
        return self._channels(
            field, LEAST_DEVIATION, MOST_DEVIATION, f"a number of at least {LEAST_DEVIATION:g}"
        )

    def _channels(self, field: str, least: float, most: float, each: str) -> tuple[float, ...]:
        value = self.fields.get(field)
        values = [value] * CHANNELS if _is_number(value) else value
        if (
            not isinstance(values, (list, tuple))
            or len(values) != CHANNELS
            or not all(_is_number(one) and least <= one <= most for one in values)
        ):
            raise self.wrong(field, f"{CHANNELS} numbers, one a channel, each {each}")
        return tuple(float(one) for one in values)

    def size(self, field: str) -> tuple[str, tuple[int, int]]:
        """("shortest", (side, side)) or ("exact", (height, width)) of what is to be resized to or cropped."""
        value: Any = self.fields.get(field)
        sides: list[Any]
        if _is_whole(value):
            kind, sides = "shortest", [value, value]
        elif isinstance(value, Mapping) and "shortest_edge" in value:
            kind, sides = "shortest", [value["shortest_edge"]] * 2
        elif isinstance(value, Mapping) and {"height", "width"} <= set(value):
            kind, sides = "exact", [value["height"], value["width"]]
        else:
            raise self.wrong(field, "a whole number, or expected shortest_edge or height and width")
        if not all(_is_whole(side) and 1 <= side <= MOST_SIDE for side in sides):
            raise self.wrong(field, f"sides of 1 to {MOST_SIDE} pixels")
        height, width = sides
        return kind, (height, width)

    def sides(self, field: str) -> tuple[int, int]:
        """(height, width), given as one number or two."""
        value = self.fields.get(field)
        sides = [value, value] if _is_whole(value) else value
        if (
            not isinstance(sides, (list, tuple))
            or len(sides) != 2
            or not all(_is_whole(side) and 1 <= side <= MOST_SIDE for side in sides)
        ):
            raise self.wrong(field, f"one or two whole numbers of 1 to {MOST_SIDE} pixels")
        height, width = sides
        return height, width

    def choice(self, field: str, absent: str, allowed: tuple[str, ...]) -> str:
        """One of some words."""
        value = self.fields.get(field, absent)
        if value not in allowed:
            raise self.wrong(field, ", ".join(allowed))
        return str(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
