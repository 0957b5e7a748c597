"""Where classes lived before the folders had rooms: pickles name the module of what they hold.

Prompt files and records name no module. This is for pickles that were made before, and for methods of one's
own that extend `deep_prompt` by the name that was documented; nothing in the package imports by these names.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

_METHODS = {
    "both_towers": ("consistency", "deep_prompt", "ivlp", "maple", "mmlop", "promptsrc", "vpt"),
    "features": ("clip_adapter", "linear_probe", "tip_adapter"),
    "text": ("cocoop", "coop", "kgcoop", "prograd", "qcoop", "rlp"),
    "weights": ("clip_lora",),
}
_OTHERS = {
    "data.cache_store": "data.cache.store",
    "data.feature_cache": "data.cache.features",
    "data.feature_file": "data.readers.feature_file",
    "methods.density_prompt": "methods.text.dip",
    "methods.zero_shot_ensemble": "methods.zero_shot.ensemble",
    "protocols.datasets": "protocols.run.datasets",
    "protocols.execution": "protocols.run.execution",
    "protocols.runs": "protocols.records.runs",
    "protocols.store": "protocols.records.store",
    "protocols.studies": "protocols.plan.studies",
    "report.comparisons": "report.statistics.comparisons",
    "report.differences": "report.statistics.differences",
    "report.summary": "report.statistics.summary",
}
MOVED = {
    **{f"methods.{name}": f"methods.{room}.{name}" for room, names in _METHODS.items() for name in names},
    **_OTHERS,
}
"""Old name of a module to its new one, below ``promptlet``."""


class OldNames:
    """Finds a module by its old name: a module of that name with all that the new one has.

    A finder and loader as `importlib.abc` has them, whose import would take longer than all that is here.
    """

    def create_module(self, spec: ModuleSpec) -> None:
        """Python's own."""

    def find_spec(self, name: str, *_: object, **__: object) -> ModuleSpec | None:
        return ModuleSpec(name, cast(Any, self)) if name.removeprefix("promptlet.") in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        new = import_module(f"promptlet.{MOVED[module.__name__.removeprefix('promptlet.')]}")
        vars(module).update({name: value for name, value in vars(new).items() if not name.startswith("__")})


def know_old_names() -> None:
    """Let older pickles, and older methods of one's own, find what they name."""
    if not any(type(finder).__qualname__ == OldNames.__qualname__ for finder in sys.meta_path):
        sys.meta_path.append(cast(Any, OldNames()))
