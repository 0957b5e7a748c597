"""Names of backbones: which a prompt file may give by itself, since what comes from elsewhere leads to known
models alone, and what is told to others of a path."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from promptlet.errors import BackboneError
from promptlet.mini.names import MINI
from promptlet.promptfile.record import PromptFile

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_HUB_ID = re.compile(rf"{_PART}/{_PART}")
_TAG = re.compile(rf"open_clip:({_PART})/({_PART})")


def is_known_name(name: str) -> bool:
    """Whether a name is the embedded backbone's, a hub id, or a model and tag of open_clip.

    What is also a path that exists here is not: it would be taken for the path.
    """
    tag = _TAG.fullmatch(name)
    if tag:
        return not any(Path(part).exists() for part in (f"{tag[1]}/{tag[2]}", tag[2]))
    return name == MINI or (_HUB_ID.fullmatch(name) is not None and not Path(name).exists())


def is_folder_name(name: str) -> bool:
    """Whether a name is that of a folder alone, as transformers saves models, and no hub id."""
    if name.startswith(("features:", "open_clip:")):  # loading them says what is missing
        return False
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or Path(name).is_absolute()


def without_folders(name: str) -> str:
    """``/home/me/models/my-clip`` as ``my-clip``; a hub id as it is, and so what stands before a path."""
    before, colon, rest = name.partition(":")
    if not colon or before not in ("open_clip", "features"):
        before, colon, rest = "", "", name
    path, mark, asked = rest.partition("?")
    parts = [part for part in re.split(r"[/\\]", path) if part not in ("", ".", "..", "~")]
    is_path = len(parts) < path.count("/") + path.count("\\") + 1 or len(parts) > 2
    return f"{before}{colon}{parts[-1]}{mark}{asked}" if is_path and parts else name


def check_names_known_backbone(file: PromptFile, where: str | Path) -> None:
    """Raise BackboneError where ``file`` names a backbone that only a person may name.

    A path that a file names may lead to anything, and be another thing here than where the file was made.
    """
    if not is_known_name(file.backbone):
        raise BackboneError(
            f"{where} names the backbone {file.backbone!r}, and a file is followed to hub ids and tags of "
            f"open_clip alone; if you trust that place, name it yourself: --backbone "
            f"{shlex.quote(file.backbone)}, or load(path, backbone=...) (fingerprint {file.fingerprint})"
        )
