"""Which readings of each image a training sees: the plain one and crops beside it, or crops alone.

A number V means the model's own preprocessing and V - 1 random crops, of which each epoch draws one. A word
such as "crops:16" means so many random crops alone, which the epochs take in turn: where there are as many as
epochs, every epoch sees new ones, as in the CoOp family's code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from promptlet.errors import OptionError, shown
from promptlet.numbers import check_number

Views = int | str
"""A number, or a word with the number of crops, such as "crops:16"."""
Readings = Views | Sequence[int]
"""The same, or the numbers of the readings themselves."""
CROPS, LARGE_CROPS = "crops", "large-crops"
KINDS: Mapping[str, float] = MappingProxyType({CROPS: 0.08, LARGE_CROPS: 0.5})
"""The least share of the area that a crop of each kind has: CoOp's and Tip-Adapter's."""
USUAL: Final = 16
"""Crops of each image that are encoded once for methods that read features, where no number is given."""
MOST: Final = 10_000
"""Readings of an image."""
_APART: Final = 1_000_000
"""Numbers of one kind of crop; those of the next begin behind."""
CROP_WORD: Final = rf"^({'|'.join(KINDS)}):([1-9][0-9]{{0,3}}|{MOST})\Z"
"""How crops alone are written in records, as a pattern."""
_WORD = re.compile(r"([a-z-]+)(?::([0-9]{1,12}))?")
_FIRST: Mapping[str, int] = MappingProxyType({kind: place * _APART + 1 for place, kind in enumerate(KINDS)})


def check_views(name: str, views: object) -> Views | None:
    """``views`` as it is kept, and None as it is. Raises OptionError that says what is allowed."""
    if not isinstance(views, str):
        number: int | None = check_number(name, views, "views")
        return number
    written = _WORD.fullmatch(views)
    if written is None or written[1] not in KINDS:
        raise OptionError(
            f"{name}={shown(views)} is not allowed; give a number of readings, 1 for the plain one alone, or "
            f"{' or '.join(KINDS)}, with their number behind a colon: {CROPS}:{USUAL}"
        )
    if written[2] is None:
        return written[1]
    number = int(written[2])
    if not 1 <= number <= MOST:
        raise OptionError(f"{name}={shown(views)} is not allowed; give 1 to {MOST:,} {written[1]}")
    return f"{written[1]}:{number}"


def settled(views: Views, epochs: int | None) -> Views:
    """The same with a number of crops: one for each of so many epochs, or `USUAL` for None."""
    return f"{views}:{epochs or USUAL}" if isinstance(views, str) and ":" not in views else views


def numbers_of(views: Readings) -> Sequence[int]:
    """The numbers of these readings. 0 is the plain one; 1 and more are crops, from 1,000,001 on large ones.

    Raises OptionError.
    """
    if isinstance(views, range | tuple):
        return views
    checked = check_views("views", views) or 1
    if not isinstance(checked, str):
        return range(checked)
    kind, _, count = str(settled(checked, None)).partition(":")
    return range(_FIRST[kind], _FIRST[kind] + int(count))


def count_of(views: Readings) -> int:
    """How many readings there are of each image."""
    return len(numbers_of(views))


def are_in_turn(views: Views) -> bool:
    """Whether epochs take them in turn, and do not draw one of them."""
    return isinstance(views, str)


def least_share(number: int) -> float:
    """Of the area of a picture that the crop of this number, 1 or more, has."""
    return list(KINDS.values())[(number - 1) // _APART]


def numbers_of_all(several: Iterable[Readings]) -> tuple[int, ...]:
    """The numbers of all of these readings, each once, in order."""
    return tuple(sorted({number for views in several for number in numbers_of(views)}))


def kind_of(views: Views) -> str | None:
    """`CROPS` or `LARGE_CROPS`; None where the plain reading is among them."""
    return views.partition(":")[0] if isinstance(views, str) else None


def in_words(views: Views) -> str:
    """``16 crops``, ``4 views``; those by default where no number is given."""
    if views == 1:
        return "1 plain reading"
    kind, count = (kind_of(views) or "views").replace("-", " "), count_of(views)
    return f"{count} {kind if count > 1 else kind.removesuffix('s')}"
