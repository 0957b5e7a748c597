"""`load_backbone`: one name for models of transformers and open_clip, and for files of text features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from promptlet.backbones.arithmetic.precision import Arithmetic
from promptlet.backbones.backbone import Backbone
from promptlet.backbones.clip.folder import cached_folder, load_clip
from promptlet.backbones.dtypes import asked, chosen
from promptlet.backbones.libraries.addresses import PREFIX as OPEN_CLIP
from promptlet.backbones.libraries.open_clip import load_open_clip
from promptlet.backbones.libraries.transformers import load_transformers
from promptlet.backbones.towers import TowerBackbone
from promptlet.backbones.vectors.backbone import PREFIX as FEATURES
from promptlet.backbones.vectors.backbone import load_features
from promptlet.errors import BackboneError, OptionError, did_you_mean
from promptlet.mini.names import MINI, MODEL_FOLDER
from promptlet.promptfile.backbone import is_folder_name
from promptlet.session import own_arithmetic

DEFAULT_BACKBONE = "openai/clip-vit-base-patch16"
EXAMPLES = (
    MINI,
    DEFAULT_BACKBONE,
    "openai/clip-vit-base-patch32",
    "openai/clip-vit-large-patch14",
    "google/siglip-base-patch16-224",
    "google/siglip2-base-patch16-224",
)
"""Names that are often meant; any other hub id is taken as well."""

ACCELERATORS: dict[str, Callable[[], bool]] = {
    "cuda": lambda: bool(torch.cuda.is_available()),
    "mps": lambda: bool(torch.backends.mps.is_available()),
}
"""Kinds of device that are taken where none is asked for, in this order, and whether one is there."""


@own_arithmetic()
def load_backbone(
    source: str | Path = DEFAULT_BACKBONE,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> Backbone:
    """Load a frozen dual encoder, or ready features of texts.

    source: a transformers folder or hub id (CLIP, MetaCLIP 2, SigLIP, SigLIP 2, Chinese-CLIP, AltCLIP, ALIGN,
        VisionTextDualEncoder with a text tower of CLIP's or BERT's kind), or ``mini`` (the small one inside
        the package, for pictures of the mini world), or ``open_clip:NAME/PRETRAINED`` (a tag or a
        checkpoint's path), ``open_clip:FOLDER``, or ``features:FILE.npz``: vectors of class names and no
        tower (`vectors`), for methods that read features.
    device: where it runs; None takes a CUDA device when there is one, else Apple's (mps), else the CPU.
    dtype: what it computes in (`Backbone.arithmetic`). "float32": all of it. "mixed": float32 weights,
        states, norms and sums, and matrix products in bfloat16. None or "auto": for each tower "mixed" where
        that was measured to be faster on this machine, once, and "float32" elsewhere; small towers stay in
        float32. "bfloat16", "float16": weights are cast, and all is in it.

    Raises BackboneError (what was given, what is missing, what to do), MissingExtraError.
    """
    wanted = asked(dtype)
    backbone = _load(source, device, Arithmetic().weights if wanted is None else wanted.weights)
    backbone.check()
    if isinstance(backbone, TowerBackbone):
        backbone.compute_in(wanted or chosen(backbone.towers, backbone.text, backbone.images))
    return backbone


def _load(source: str | Path, device: str | torch.device | None, kind: torch.dtype) -> Backbone:
    if not isinstance(source, (str, Path)) or not str(source).strip():
        raise OptionError(
            f"backbone={source!r}: give a folder, a hub id such as {DEFAULT_BACKBONE!r}, "
            "open_clip:NAME/PRETRAINED, or features:FILE.npz"
        )
    text = str(source)
    place = _device(device)
    if text.startswith(FEATURES):
        return load_features(text, place, kind)
    if text.startswith(OPEN_CLIP):
        return load_open_clip(text, place, kind)
    if text == MINI:
        return _load_folder(MODEL_FOLDER, MINI, place, kind)
    path = Path(text).expanduser()
    if path.suffix == ".npz" and path.is_file():
        raise BackboneError(
            f"{text!r} is no folder; for the vectors of class names in it, give {FEATURES + text!r}"
        )
    if (isinstance(source, Path) or is_folder_name(text)) and not path.is_dir():
        raise BackboneError(
            f"backbone folder {text!r} does not exist; give a folder saved by save_pretrained."
            f"{_meant(text, path)}"
        )
    if path.is_dir():
        return _load_folder(path, name_of_folder(path), place, kind)
    cached = cached_folder(text)
    own = None if cached is None else load_clip(cached, text, text, place, kind)
    if own is not None:
        return own
    try:
        return load_transformers(text, place, kind)
    except BackboneError as error:
        hint = _meant(text, path)
        if not hint:
            raise
        raise type(error)(f"{error}{hint}") from error.__cause__


def _load_folder(folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    own = load_clip(folder, name, str(folder), device, dtype)
    return load_transformers(str(folder), device, dtype, name) if own is None else own


def _meant(text: str, path: Path) -> str:
    """What a name that leads to nothing may have been meant as: a known one, or a folder beside it."""
    try:
        folders = [str(path.parent / one.name) for one in path.parent.iterdir() if one.is_dir()]
    except OSError:
        folders = []
    return did_you_mean(text, (*EXAMPLES, *folders))


def name_of_folder(path: Path) -> str:
    """A folder's name as what it is: ``./models/my-clip`` and not ``models/my-clip``, which elsewhere would
    be taken for the id of a model on the hub."""
    is_plain = not path.is_absolute() and path.parts[:1] != ("..",)
    return f"./{path}" if is_plain else str(path)


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device(next((kind for kind, is_there in ACCELERATORS.items() if is_there()), "cpu"))
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise OptionError(f"device={device!r} is not known; give 'cpu', 'cuda', 'cuda:1' or 'mps'") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise OptionError(f"device={device!r}: this torch sees no CUDA device; give 'cpu'")
    try:
        torch.empty(1, dtype=torch.float32, device=chosen)
    except Exception as error:  # each kind of device raises its own
        raise OptionError(f"device={device!r} cannot be used: {str(error).strip()[:200]}") from error
    return chosen
