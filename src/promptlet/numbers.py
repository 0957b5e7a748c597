"""The numbers that a person may give, each kind with what is allowed: checked before any work begins."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from types import MappingProxyType
from typing import Any, Final

from promptlet.errors import OptionError, shown

MOST_OF_A_LIST: Final = 10_000
"""How many seeds, or numbers of shots, one command may name."""
LARGEST: Final = 10**9
"""Of whole numbers without a kind of their own."""


@dataclass(frozen=True)
class Whole:
    """A whole number from ``least`` to ``most``; unset: what leaving it out means, in words."""

    least: int
    most: int
    unset: str = ""


@dataclass(frozen=True)
class Finite:
    """A finite number above ``least``, or ``least`` too, and up to ``most``; what it is, in words."""

    least: float
    or_least: bool = False
    most: float = math.inf
    words: str = ""


KINDS: Mapping[str, Whole | Finite] = MappingProxyType(
    {
        "seed": Whole(0, 2**53 - 1),  # what prompt files hold
        "shots": Whole(1, 1_000_000),
        "views": Whole(1, 10_000, "1 means the model's own preprocessing alone"),
        "epochs": Whole(1, 1_000_000),
        "batch_size": Whole(1, LARGEST, "None means all images"),
        "sampled_classes": Whole(2, LARGEST, "None means all classes"),
        "rank": Whole(1, 1_000),
        "n_ctx": Whole(1, 1_024),
        "workers": Whole(1, 1_024),
        "top": Whole(1, 1_000_000),
        "every": Whole(1, 1_000_000),
        "k": Whole(1, 1_000),
        "folds": Whole(2, 1_000),
        "lr": Finite(0.0),
        "warmup_lr": Finite(0.0),
        "momentum": Finite(0.0, or_least=True),
        "weight_decay": Finite(0.0, or_least=True),
        "least_agreement": Finite(0.0, or_least=True, most=100.0, words="a percentage: 98 for 98 %"),
        "share_right": Finite(0.0, most=1.0, words="a share: 0.9 for 90 %"),
        "threshold": Finite(0.0, or_least=True, most=1.0, words="a probability: 0.6 for 60 %"),
    }
)


OF_METHODS = ("rank", "n_ctx", "seed")
"""Kinds that options of methods have too, under the same name."""


def check_number(name: str, value: Any, kind: str = "") -> Any:
    """``value`` as an int or float when it is one that ``name`` may have, and None as it is.

    NumPy's numbers count as such, truth values and text do not. kind: of `KINDS`, where it is not ``name``.
    Raises OptionError that says what is allowed.
    """
    if value is None:
        return None
    allowed = KINDS[kind or name]
    return _whole(name, value, allowed) if isinstance(allowed, Whole) else _finite(name, value, allowed)


def check_numbers(given: Mapping[str, Any]) -> None:
    """The same for a table of options, of any names; other values than numbers pass."""
    for name, value in given.items():
        if isinstance(value, bool) or not _is_real(value):
            continue
        if name in OF_METHODS:
            check_number(name, value)
        elif not (abs(value) <= LARGEST if isinstance(value, int) else abs(value) <= 1e12):
            raise OptionError(
                f"{name}={shown(value)} is not a number from -1e+12 to 1e+12, whole ones up to {LARGEST:,}"
            )


def _is_real(value: Any) -> bool:
    return isinstance(value, Real)  # in place, mypy takes what follows for unreachable


def _whole(name: str, value: Any, allowed: Whole) -> int:
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise OptionError(
            f"{name}={shown(value)} is not allowed; give a whole number from {allowed.least} to "
            f"{allowed.most:,}"
        )
    after = f"; {allowed.unset}" if allowed.unset else ""
    if number < allowed.least:
        raise OptionError(f"{name}={shown(number)} is outside {allowed.least} and more{after}")
    if number > allowed.most:
        raise OptionError(
            f"{name}={shown(number)} is outside {allowed.least} to {allowed.most:,}; give a number of "
            f"these{after}"
        )
    return number


def _finite(name: str, value: Any, allowed: Finite) -> float:
    try:
        number = float(value) if _is_real(value) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    is_inside = number >= allowed.least if allowed.or_least else number > allowed.least
    if not (math.isfinite(number) and is_inside and number <= allowed.most):
        where = f"{allowed.least:g} or more" if allowed.or_least else f"above {allowed.least:g}"
        upto = f", {allowed.most:g} at most" if math.isfinite(allowed.most) else ""
        words = f"; it is {allowed.words}" if allowed.words else ""
        raise OptionError(f"{name}={shown(value)} must be a number {where}{upto} and finite{words}")
    return number
