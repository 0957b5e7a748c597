"""Every method by name: one file per paper, none imports another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptlet.backbones import Backbone
from promptlet.errors import OptionError, check_option, did_you_mean
from promptlet.methods.coop import CoOp
from promptlet.methods.method import Method, MethodInfo
from promptlet.methods.rlp import RLP
from promptlet.methods.zero_shot import ZeroShot

METHODS: dict[str, type[Method]] = {
    "zero_shot": ZeroShot,
    "coop": CoOp,
    "rlp": RLP,
}


def build_method(name: str, backbone: Backbone, class_names: Sequence[str], **options: Any) -> Method:
    """The method ``name`` over ``backbone``, with its own defaults for the options not given."""
    check_option("method", str(name), METHODS)
    known = METHODS[name].info.options
    for option in options:
        if option not in known:
            raise OptionError(
                f"method {name!r} has no option {option!r}; it has: {', '.join(known)}."
                f"{did_you_mean(option, known)}"
            )
    return METHODS[name](backbone, class_names, **options)


__all__ = ["METHODS", "Method", "MethodInfo", "build_method"]
