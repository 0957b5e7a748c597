"""Protocols: how a method is trained and judged. A protocol plans runs and executes one; engines run them.

This package loads no torch before a run is planned or executed, so that results can be read without it.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from promptlet.errors import check_option
from promptlet.protocols.runs import Run
from promptlet.protocols.store import RunStore

PROTOCOLS = {"base-to-new": "promptlet.protocols.base_to_new"}


def load_protocol(name: str) -> ModuleType:
    """The module of a protocol, with ``plan`` and ``execute``."""
    return import_module(PROTOCOLS[check_option("protocol", name, PROTOCOLS)])


__all__ = ["PROTOCOLS", "Run", "RunStore", "load_protocol"]
