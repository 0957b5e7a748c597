"""Every method by name (catalog.py): a room for each family, a file for each paper, none imports another."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from promptlet.backbones import Backbone
from promptlet.errors import BackboneError, OptionError, check_option, did_you_mean, shown
from promptlet.methods.catalog import METHODS, OURS, adopt, code_of, register, registered
from promptlet.methods.method import FEATURES, IMAGES, Method, MethodInfo
from promptlet.methods.new_names import why_not
from promptlet.numbers import check_numbers
from promptlet.promptfile.record import MAX_DIM

LARGEST_SIZE = MAX_DIM
NO_SIZES = ("seed", "budget")  # whole numbers that ask for no memory


def build_method(name: str, backbone: Backbone, class_names: Sequence[str], /, **options: Any) -> Method:
    """The method ``name`` over ``backbone``, with its own defaults for the options not given.

    Raises OptionError, and BackboneError for a backbone that does not have what the method works in.
    """
    check_option("method", str(name), METHODS)
    check_towers(METHODS[name].info, backbone)
    known = METHODS[name].info.options
    if name in OURS:
        check_numbers(options)
    for option in options:
        if option not in known:
            reason = f" ({why_not(METHODS[name].info)})" if option == "new_names" else ""
            raise OptionError(
                f"method {name!r} has no option {option!r}{reason}; it has: {', '.join(known)}."
                f"{did_you_mean(option, known) or _who_has(option)}"
            )
        _check_kind(name, option, options[option], known[option])
    method = METHODS[name](backbone, class_names, **options)
    method.options = {**known, **options}
    return method


def check_towers(info: MethodInfo, backbone: Backbone) -> None:
    """Raise BackboneError for a method that works inside a tower, where the backbone has none."""
    changes = [*(["text"] if info.in_text_tower else []), *(["image"] if info.reads == IMAGES else [])]
    if backbone.has_towers or not changes:
        return
    others = [name for name, method in METHODS.items() if _needs_no_tower(method.info)]
    towers = f"the {changes[0]} tower" if len(changes) == 1 else "both towers"
    raise BackboneError(
        f"method {info.name!r} learns inside {towers}, and {backbone.name!r} has none, only ready vectors of "
        f"texts; use {', '.join(others)}, or a backbone with towers (see: promptlet backbones)"
    )


def _needs_no_tower(info: MethodInfo) -> bool:
    return info.reads == FEATURES and not info.in_text_tower


def _who_has(option: str) -> str:
    methods = [name for name, method in METHODS.items() if option in method.info.options]
    return f" It is an option of {', '.join(methods)}." if methods else ""


def _check_kind(method: str, option: str, value: Any, default: Any) -> None:
    """The kind of the default, and no size that would fill the memory before anything else is looked at.

    Options come from people and from prompt files of others. Raises OptionError with what was given.
    """
    said = f"method {method!r}: {option}={shown(value)}"
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if isinstance(default, bool) and not isinstance(value, bool):
        raise OptionError(f"{said} is neither true nor false; the default is {default}")
    if isinstance(default, int | float) and not isinstance(default, bool) and not is_number:
        raise OptionError(f"{said} is no number; the default is {default}")
    is_size = isinstance(value, int) and option not in NO_SIZES and method in OURS
    if is_size and abs(value) > LARGEST_SIZE:
        raise OptionError(f"{said} is larger than anything a method learns; up to {LARGEST_SIZE:,} goes")


__all__ = [
    "METHODS",
    "Method",
    "MethodInfo",
    "adopt",
    "build_method",
    "check_towers",
    "code_of",
    "register",
    "registered",
]
