"""Every method by name: one file per paper, none imports another."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from promptlet.backbones import Backbone
from promptlet.errors import OptionError, check_option, did_you_mean
from promptlet.methods.clip_adapter import ClipAdapter
from promptlet.methods.clip_lora import ClipLora
from promptlet.methods.cocoop import CoCoOp
from promptlet.methods.coop import CoOp
from promptlet.methods.density_prompt import DirectOptimisation, PositionalPenalty
from promptlet.methods.ivlp import IVLP
from promptlet.methods.kgcoop import KgCoOp
from promptlet.methods.linear_probe import LinearProbe
from promptlet.methods.maple import MaPLe
from promptlet.methods.method import Method, MethodInfo
from promptlet.methods.mmlop import MMLoP
from promptlet.methods.prograd import ProGrad
from promptlet.methods.promptsrc import PromptSRC
from promptlet.methods.qcoop import QCoOp
from promptlet.methods.rlp import RLP
from promptlet.methods.tip_adapter import TipAdapter, TipAdapterF
from promptlet.methods.vpt import VPT
from promptlet.methods.zero_shot import ZeroShot
from promptlet.methods.zero_shot_ensemble import ZeroShotEnsemble

METHODS: dict[str, type[Method]] = {
    "zero_shot": ZeroShot,
    "zero_shot_ensemble": ZeroShotEnsemble,
    "coop": CoOp,
    "cocoop": CoCoOp,
    "kgcoop": KgCoOp,
    "prograd": ProGrad,
    "rlp": RLP,
    "dip_do": DirectOptimisation,
    "dip_pp": PositionalPenalty,
    "qcoop": QCoOp,
    "vpt": VPT,
    "ivlp": IVLP,
    "maple": MaPLe,
    "promptsrc": PromptSRC,
    "mmlop": MMLoP,
    "clip_adapter": ClipAdapter,
    "tip_adapter": TipAdapter,
    "tip_adapter_f": TipAdapterF,
    "linear_probe": LinearProbe,
    "clip_lora": ClipLora,
}


def build_method(name: str, backbone: Backbone, class_names: Sequence[str], **options: Any) -> Method:
    """The method ``name`` over ``backbone``, with its own defaults for the options not given."""
    check_option("method", str(name), METHODS)
    known = METHODS[name].info.options
    for option in options:
        if option not in known:
            raise OptionError(
                f"method {name!r} has no option {option!r}; it has: {', '.join(known)}."
                f"{did_you_mean(option, known) or _who_has(option)}"
            )
        _check_kind(name, option, options[option], known[option])
    return METHODS[name](backbone, class_names, **options)


def _who_has(option: str) -> str:
    methods = [name for name, method in METHODS.items() if option in method.info.options]
    return f" It is an option of {', '.join(methods)}." if methods else ""


def _check_kind(method: str, option: str, value: Any, default: Any) -> None:
    """Numbers where the default is a number. Raises OptionError with the value that was given."""
    number = isinstance(default, int | float) and not isinstance(default, bool)
    if number and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
        raise OptionError(f"method {method!r}: {option}={value!r} is no number; the default is {default}")


__all__ = ["METHODS", "Method", "MethodInfo", "build_method"]
