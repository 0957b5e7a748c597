"""Promptlet: adapt a frozen vision-language model from a few images by learning half a thousand numbers.

Names load when they are first used, so that ``import promptlet`` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from promptlet.moved import know_old_names

if TYPE_CHECKING:
    from promptlet import data
    from promptlet.backbones import Backbone, load_backbone
    from promptlet.classifier import PromptClassifier
    from promptlet.errors import PromptletError
    from promptlet.export.check import check_export
    from promptlet.export.folder import export_folder
    from promptlet.export.vectors import export_vectors
    from promptlet.own_images.evaluating import evaluate
    from promptlet.own_images.in_python import compare, estimate
    from promptlet.promptfile import load_prompt_file
    from promptlet.protocols.bench import open_bench

__version__ = "0.2.0"

_HOMES = {
    "Backbone": "promptlet.backbones",
    "PromptClassifier": "promptlet.classifier",
    "PromptletError": "promptlet.errors",
    "check_export": "promptlet.export.check",
    "compare": "promptlet.own_images.in_python",
    "estimate": "promptlet.own_images.in_python",
    "evaluate": "promptlet.own_images.evaluating",
    "export_folder": "promptlet.export.folder",
    "export_vectors": "promptlet.export.vectors",
    "load_backbone": "promptlet.backbones",
    "load_prompt_file": "promptlet.promptfile",
    "open_bench": "promptlet.protocols.bench",
}

__all__ = [
    "Backbone",
    "PromptClassifier",
    "PromptletError",
    "__version__",
    "check_export",
    "compare",
    "data",
    "estimate",
    "evaluate",
    "export_folder",
    "export_vectors",
    "load_backbone",
    "load_prompt_file",
    "open_bench",
]


know_old_names()


def __getattr__(name: str) -> Any:
    if name == "data":
        return import_module("promptlet.data")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'promptlet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
