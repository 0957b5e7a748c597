"""Pickling, for joblib and processes: a backbone travels as its name and is loaded again on the other side.

Prompts are saved as prompt files, never as pickles; this is for processes of one program. It lies above
the loaders, so that a backbone need not know them.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakValueDictionary

from promptlet.backbones.backbone import Backbone
from promptlet.backbones.load import load_backbone

Identity = tuple[str, str, str, str]  # name, device, arithmetic, fingerprint

_loaded: WeakValueDictionary[Identity, Backbone] = WeakValueDictionary()


def reduce_backbone(backbone: Backbone) -> tuple[Callable[..., Backbone], Identity]:
    """Its name, device, arithmetic and fingerprint, and what loads it again."""
    identity = (backbone.name, str(backbone.device), backbone.arithmetic, backbone.fingerprint)
    _loaded[identity] = backbone
    return _reload, identity


def _reload(name: str, device: str, arithmetic: str, fingerprint: str) -> Backbone:
    """The backbone that is there already, else one loaded by name. Raises WrongBackboneError."""
    identity = (name, device, arithmetic, fingerprint)
    backbone = _loaded.get(identity)
    if backbone is None:
        backbone = load_backbone(name, device, arithmetic)
        backbone.check_fingerprint(fingerprint, name, "the pickle")
        _loaded[identity] = backbone
    return backbone


def know_backbones() -> None:
    """Let backbones be pickled so."""
    Backbone.reduced = staticmethod(reduce_backbone)
