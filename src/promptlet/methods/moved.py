"""Where methods lived before they had rooms: a pickle of a fitted classifier names the module of its method.

Prompt files name no module. This is for such pickles, and for methods of one's own that extend `deep_prompt`
by the name that was documented; nothing in the package imports by these names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_ROOMS = {
    "both_towers": ("ivlp", "maple", "mmlop", "promptsrc", "vpt"),
    "features": ("clip_adapter", "linear_probe", "tip_adapter"),
    "text": ("cocoop", "coop", "kgcoop", "prograd", "qcoop", "rlp"),
    "weights": ("clip_lora",),
}
MOVED = {
    **{name: f"{room}.{name}" for room, names in _ROOMS.items() for name in names},
    "deep_prompt": "both_towers.deep_prompt",
    "density_prompt": "text.dip",
    "zero_shot_ensemble": "zero_shot.ensemble",
}
"""Old name of a file to its new one, below ``promptlet.methods``."""


class _OldNames(MetaPathFinder, Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, last = name.rpartition(".")
        return ModuleSpec(name, self) if package == "promptlet.methods" and last in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        new = import_module(f"promptlet.methods.{MOVED[module.__name__.rpartition('.')[2]]}")
        vars(module).update({name: value for name, value in vars(new).items() if not name.startswith("__")})


def know_old_names() -> None:
    """Let older pickles, and older methods of one's own, find what they name."""
    if not any(type(finder).__qualname__ == _OldNames.__qualname__ for finder in sys.meta_path):
        sys.meta_path.append(_OldNames())
