"""No code that comes with a model runs while it is loaded, and nothing is read from standard input.

A folder or repository may name Python files of its own (``auto_map``). transformers runs them where it is
told to, by an argument or by a configuration, and otherwise asks the person at the terminal. Inside
`no_foreign_code` it can do neither, whatever the configurations say and whichever library calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any

from promptlet.errors import BackboneError

GUARDED = ("get_cached_module_file", "get_class_in_module")
"""Of `transformers.dynamic_module_utils`: all foreign code is fetched and run by these."""

_source: ContextVar[str] = ContextVar("source of what is being loaded", default="")


class ForeignCodeError(BackboneError):
    """A model that needs code of its own."""


@contextmanager
def no_foreign_code(source: str) -> Iterator[None]:
    """Raise ForeignCodeError where loading ``source`` would run code that comes with it, or ask about it."""
    _guard()
    before = _source.set(source)
    try:
        yield
    finally:
        _source.reset(before)


def check_no_code(source: str, error: BaseException) -> None:
    """Raise ForeignCodeError where an ``error`` of a loader comes of code that was not run."""
    if "trust_remote_code" in str(error):
        raise foreign_code(source) from error
    if any(word in str(error) for word in ("weights_only", "TorchScript")):
        raise ForeignCodeError(
            f"{source!r} has weights that cannot be read without running code (a pickle of more than "
            "numbers, or TorchScript), which Promptlet never does; take them as a safetensors file"
        ) from error


def check_own_tokenizer(source: str, tokenizer: Any) -> None:
    """Raise ForeignCodeError for a tokenizer that was made for other code than the one that was loaded: its
    numbers would be others than its authors'."""
    if "AutoTokenizer" in (tokenizer.init_kwargs.get("auto_map") or {}):
        raise foreign_code(source)


def foreign_code(source: str) -> ForeignCodeError:
    """The error for a model that needs code of its own."""
    return ForeignCodeError(
        f"{source!r} comes with Python code of its own, which Promptlet never runs; take a model whose "
        "architecture and tokenizer are part of transformers or open_clip"
    )


@cache
def _guard() -> None:
    """Stand before the functions once; outside of `no_foreign_code` they do what they did."""
    from transformers import dynamic_module_utils as dynamic

    for name in GUARDED:
        setattr(dynamic, name, _refusing(getattr(dynamic, name)))
    vars(dynamic)["input"] = _refusing(input)


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        source = _source.get()
        if source:
            raise foreign_code(source)
        return function(*args, **kwargs)

    return guarded
