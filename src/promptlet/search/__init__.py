"""A folder of photos, searched by words, by classes of prompts and by images. Names load when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlet.search.index import Changes, Index
    from promptlet.search.query import ClassOf, Query
    from promptlet.search.results import Hit, Results

_HOMES = {
    "Changes": "promptlet.search.index",
    "ClassOf": "promptlet.search.query",
    "Hit": "promptlet.search.results",
    "Index": "promptlet.search.index",
    "Query": "promptlet.search.query",
    "Results": "promptlet.search.results",
}

__all__ = ["Changes", "ClassOf", "Hit", "Index", "Query", "Results"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'promptlet.search' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
