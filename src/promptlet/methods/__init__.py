"""Every method by name (catalog.py): one file per paper, none imports another."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from promptlet.backbones import Backbone
from promptlet.errors import OptionError, check_option, did_you_mean
from promptlet.methods.catalog import METHODS, adopt, code_of, register, registered
from promptlet.methods.method import Method, MethodInfo
from promptlet.methods.new_names import why_not


def build_method(name: str, backbone: Backbone, class_names: Sequence[str], **options: Any) -> Method:
    """The method ``name`` over ``backbone``, with its own defaults for the options not given."""
    check_option("method", str(name), METHODS)
    known = METHODS[name].info.options
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


def _who_has(option: str) -> str:
    methods = [name for name, method in METHODS.items() if option in method.info.options]
    return f" It is an option of {', '.join(methods)}." if methods else ""


def _check_kind(method: str, option: str, value: Any, default: Any) -> None:
    """Numbers where the default is a number. Raises OptionError with the value that was given."""
    number = isinstance(default, int | float) and not isinstance(default, bool)
    if number and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
        raise OptionError(f"method {method!r}: {option}={value!r} is no number; the default is {default}")


__all__ = [
    "METHODS",
    "Method",
    "MethodInfo",
    "adopt",
    "build_method",
    "code_of",
    "register",
    "registered",
]
