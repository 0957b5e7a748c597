"""What a prompt is on the hub and in a folder: three files, none of which can run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptlet.errors import PromptFileError
from promptlet.hub.card import card_of, is_own_card
from promptlet.hub.places import PROMPT
from promptlet.promptfile import PromptFile, dumps
from promptlet.promptfile.backbone import without_folders
from promptlet.promptfile.files import reason_of, write_whole

CARD, CONFIG = "README.md", "config.json"
FORMAT = 1
"""Of the folder; the prompt file has a version of its own."""


def contents_of(
    prompt: PromptFile, precision: str, *, hub_id: str | None, title: str, license: str | None
) -> dict[str, bytes]:
    """The files by name. Of a backbone's place on a disk its name alone is told.

    hub_id: where they will be, so that the card can say how they are read; title: what the card is called.
    """
    told = replace(prompt, backbone=without_folders(prompt.backbone))
    data = dumps(told, precision)
    card = card_of(told, len(data), precision, hub_id=hub_id, title=title, license=license)
    return {PROMPT: data, CONFIG: _config(told), CARD: card.encode()}


def write_folder(folder: str | Path, contents: Mapping[str, bytes], new_card: bool = False) -> bool:
    """Write the files into a folder, which is made where it is missing, each whole or not at all.

    A card that somebody edited stays, unless ``new_card``; whether it did is returned. Raises
    PromptFileError.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        if (target / CONFIG).exists() and not (target / PROMPT).exists():
            raise PromptFileError(
                f"cannot save into {folder}: its {CONFIG} is of something else, such as a backbone; give "
                "another folder"
            )
        edited = not new_card and (target / CARD).exists() and not is_own_card((target / CARD).read_bytes())
        for name, data in contents.items():
            if not (edited and name == CARD):
                write_whole((target / name).resolve(), data)
    except (OSError, ValueError) as error:
        raise PromptFileError(f"cannot save into {folder}: {reason_of(error)}") from error
    return edited


def prompt_in(folder: str | Path) -> Path:
    """The prompt file of such a folder. Raises PromptFileError where there is none."""
    path = Path(folder) / PROMPT
    if path.is_file():
        return path
    others = sorted(Path(folder).glob("*.prompt"))
    hint = f"; load(path) reads a prompt file by itself, such as {others[0]}" if others else ""
    raise PromptFileError(
        f"{folder} holds no {PROMPT}, and so no prompt; save_pretrained(folder) makes it{hint}"
    )


def _config(prompt: PromptFile) -> bytes:
    """For other programs: what the prompt file says, as JSON. Promptlet reads the file itself."""
    facts: dict[str, Any] = {
        "library": "promptlet",
        "format": FORMAT,
        "prompt_file": PROMPT,
        "method": prompt.method,
        "rank": prompt.rank,
        "n_ctx": prompt.n_ctx,
        "backbone": prompt.backbone,
        "fingerprint": prompt.fingerprint,
        "class_names": list(prompt.class_names),
        "none_of_these": prompt.rejection is not None,
        "options": dict(prompt.options),
        "training": dict(prompt.training),
    }
    return (json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
