"""Protocols: how a method is trained and judged. A protocol plans runs and executes one; engines run them.

This package loads no torch before a run is planned or executed, so that results can be read without it; and
nothing that reads results before they are read, so that the command line starts without it.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from promptlet.errors import check_option
from promptlet.protocols.records.measures import ALL_NAMES, BASE_TO_NEW, CROSS_DATASET, DOMAIN_SHIFT, FEW_SHOT
from promptlet.protocols.records.runs import Run

if TYPE_CHECKING:
    from promptlet.protocols.records.store import RunStore

DEFAULT_METHODS = "zero_shot,coop,rlp"
PROTOCOLS = {
    BASE_TO_NEW: "promptlet.protocols.base_to_new",
    ALL_NAMES: "promptlet.protocols.all_names",
    FEW_SHOT: "promptlet.protocols.few_shot",
    CROSS_DATASET: "promptlet.protocols.cross_dataset",
    DOMAIN_SHIFT: "promptlet.protocols.domain_shift",
}


def load_protocol(name: str) -> ModuleType:
    """The module of a protocol, with ``plan`` and ``execute``."""
    return import_module(PROTOCOLS[check_option("protocol", name, PROTOCOLS)])


def __getattr__(name: str) -> Any:
    if name == "RunStore":
        return import_module("promptlet.protocols.records.store").RunStore
    raise AttributeError(f"module 'promptlet.protocols' has no attribute {name!r}")


__all__ = ["DEFAULT_METHODS", "PROTOCOLS", "Run", "RunStore", "load_protocol"]
