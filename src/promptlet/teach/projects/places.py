"""Where things lie in a project's folder, and what files there are called."""

from __future__ import annotations

import re
from typing import Final

RECORD: Final = "project.json"
"""Its title, the order of its classes, its settings, what came of the last training."""
HISTORY: Final = ".history.json"
PENDING: Final = ".pending.json"
"""The change that is being made; gone once it is done."""
ANSWERS: Final = ".answers.json"
"""What was said of photos that were held back in the last training."""
KNOWN: Final = ".known.json"
"""Ids of files that were put there by hand, so that they are not read again at each start."""
UNLABELLED: Final = ".unlabelled"
"""The folder of images without a class; hidden, so that `promptlet fit` passes it over."""
REMOVED: Final = ".removed"
"""The folder of what was removed, for undo."""
LOOSE: Final = ""
"""The project's own folder: images that somebody put there have no class."""
PROMPT: Final = ".prompt"
LOCK: Final = ".promptlet-teach.lock"

ID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
OWN_NAME: Final = re.compile(r"([0-9a-f]{16})\.[a-z0-9]{2,4}", re.ASCII)
"""Of files that were put there by this server: an id, and how names of the format end."""


def own_name(image: str, ending: str) -> str:
    """The name of an image's file."""
    return f"{image}{ending}"


def place(folder: str, file: str) -> str:
    """Below the project's folder, as journals write it."""
    return f"{folder}/{file}" if folder else file


def split(path: str) -> tuple[str, str]:
    """The folder and the file of a `place`."""
    folder, _, file = path.rpartition("/")
    return folder, file
