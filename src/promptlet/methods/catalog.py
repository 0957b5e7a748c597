"""The methods by name: the package's own, one file per paper, and those that a user registers."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar

from promptlet.errors import EngineError, OptionError
from promptlet.methods.both_towers.ivlp import IVLP
from promptlet.methods.both_towers.maple import MaPLe
from promptlet.methods.both_towers.mmlop import MMLoP
from promptlet.methods.both_towers.promptsrc import PromptSRC
from promptlet.methods.both_towers.vpt import VPT
from promptlet.methods.features.clap import ClassAdaptiveProbe, ZeroShotLinearProbe
from promptlet.methods.features.clip_adapter import ClipAdapter
from promptlet.methods.features.gda import GaussianDiscriminant
from promptlet.methods.features.linear_probe import LinearProbe
from promptlet.methods.features.lp_pp import BlendedProbe
from promptlet.methods.features.prolip import LinearAdapter
from promptlet.methods.features.tip_adapter import TipAdapter, TipAdapterF
from promptlet.methods.method import Method, MethodInfo, constructor_options
from promptlet.methods.official import PROTOCOLS, Official
from promptlet.methods.text.cocoop import CoCoOp
from promptlet.methods.text.coop import CoOp
from promptlet.methods.text.dekg import DeKg
from promptlet.methods.text.dip import DirectOptimisation, PositionalPenalty
from promptlet.methods.text.kgcoop import KgCoOp
from promptlet.methods.text.prograd import ProGrad
from promptlet.methods.text.qcoop import QCoOp
from promptlet.methods.text.rlp import RLP
from promptlet.methods.weights.clip_lora import ClipLora
from promptlet.methods.weights.clip_svd import ClipSvd
from promptlet.methods.weights.two_sfs import TwoStages
from promptlet.methods.zero_shot.ensemble import ZeroShotEnsemble
from promptlet.methods.zero_shot.single import ZeroShot

METHODS: dict[str, type[Method]] = {
    "zero_shot": ZeroShot,
    "zero_shot_ensemble": ZeroShotEnsemble,
    "coop": CoOp,
    "cocoop": CoCoOp,
    "kgcoop": KgCoOp,
    "dekg": DeKg,
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
    "gda": GaussianDiscriminant,
    "zs_lp": ZeroShotLinearProbe,
    "clap": ClassAdaptiveProbe,
    "lp_pp": BlendedProbe,
    "prolip": LinearAdapter,
    "clip_lora": ClipLora,
    "clip_svd": ClipSvd,
    "two_sfs": TwoStages,
}
OURS = frozenset(METHODS)
"""The names of the package's own methods."""

M = TypeVar("M", bound=type[Method])
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")  # as in prompt files
_codes: dict[str, str] = {}
"""Of registered methods, by name: see `code_of`."""


def register(method: M) -> M:
    """Make a method of one's own known by its ``info.name``: to classifiers, prompt files and benchmarks.

    Written above the class, ``@register``. A name that was registered before gets the new class, as when a
    cell of a notebook is run again; the same class again changes nothing. Raises OptionError for what is no
    method, has the name of one of the package's own, or has an option in its ``info`` that its constructor
    does not take, or not by default.
    """
    if not (inspect.isclass(method) and issubclass(method, Method)):
        raise OptionError(f"{method!r} is no method; register a subclass of promptlet.methods.Method")
    if inspect.isabstract(method) or not isinstance(getattr(method, "info", None), MethodInfo):
        raise OptionError(
            f"{method.__qualname__} is not a whole method: it needs a MethodInfo as its `info`, and "
            "class_features() unless it extends a method that has it"
        )
    name = method.info.name
    if not _NAME.fullmatch(name):
        raise OptionError(f"{name!r} is no name of a method; use up to 64 small letters, digits and _")
    if name in OURS:
        raise OptionError(f"the method {name!r} is one of Promptlet's own; give yours another name")
    method.take_options()
    check_options(method)
    check_official(method.info)
    if METHODS.get(name) is method and name in _codes:  # its file may be another by now, but not the class
        return method
    METHODS[name], _codes[name] = method, _digest_of(method)
    return method


def registered() -> tuple[type[Method], ...]:
    """The methods that are not the package's own."""
    return tuple(method for name, method in METHODS.items() if name not in OURS)


def code_of(name: str) -> str | None:
    """12 hexadecimal digits for the file that a registered method is written in, or for its own functions
    where it was typed in, as it was when the method was registered, so that a benchmark knows when it was
    changed. None for the package's own."""
    return None if name in OURS else _codes[name]


def adopt(method: type[Method], code: str) -> None:
    """Make known, in a worker, a method that another process has registered from the file with digest
    ``code``. Raises EngineError where the worker has imported another version of that file."""
    register(method)
    own = _codes[method.info.name]
    is_imported = method.__module__ in sys.modules
    if is_imported and own != code:
        raise EngineError(
            f"the file of method {method.info.name!r} was changed after this command began; run it again"
        )
    _codes[method.info.name] = code


def check_options(method: type[Method]) -> None:
    """Raise OptionError unless the constructor has the options of ``info``, with the same defaults."""
    name, options = method.info.name, method.info.options
    if not isinstance(options, Mapping):
        raise OptionError(f"{name}: info.options={options!r} is no table of options")
    taken = inspect.signature(method.__init__).parameters
    for one in constructor_options(method):
        if one.default is inspect.Parameter.empty and one.name not in options:
            raise OptionError(
                f"{name}: its constructor needs {one.name!r}, which has no default; give it one, since an "
                "option may be left out"
            )
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    for option, default in options.items():
        if option not in taken:
            raise OptionError(
                f"{name}: its info has the option {option!r}, which its constructor does not take; it takes: "
                f"{', '.join(one.name for one in constructor_options(method)) or 'none'}"
            )
        own = taken[option].default
        if own is not inspect.Parameter.empty and own != default:
            raise OptionError(
                f"{name}: {option} is {default!r} in its info and {own!r} in its constructor; they must be "
                "the same"
            )


def check_official(info: MethodInfo) -> None:
    """Raise OptionError unless ``info.official`` has rows by protocol, of options that the method has."""
    if not isinstance(info.official, Mapping):
        raise OptionError(f"{info.name}: info.official={info.official!r} is no table of rows by protocol")
    for protocol, row in info.official.items():
        if protocol not in PROTOCOLS or not isinstance(row, Official):
            raise OptionError(
                f"{info.name}: official settings {protocol!r}: {row!r} are not known; give, for one of "
                f"{', '.join(PROTOCOLS)}, an Official of promptlet.methods.official"
            )
        for option in (*row.options, *(name for case in row.cases for name in case.options)):
            if option not in info.options:
                raise OptionError(
                    f"{info.name}: its official settings for {protocol} have the option {option!r}, which "
                    f"it does not have; it has: {', '.join(info.options) or 'none'}"
                )


def _digest_of(method: type[Method]) -> str:
    """Of its file, or of its compiled functions where it was typed in."""
    try:
        content = Path(inspect.getsourcefile(method) or "").read_bytes()
    except (OSError, TypeError):
        functions = (inspect.unwrap(own) for own in vars(method).values() if inspect.isfunction(own))
        content = repr([_compiled(function.__code__) for function in functions]).encode()
    return hashlib.blake2b(content, digest_size=6).hexdigest()


def _compiled(code: CodeType) -> tuple[Any, ...]:
    """What a function does: its instructions, names and constants, without line numbers."""
    constants = [_compiled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, constants
