"""Which place of the hub is meant: an id, ``OWNER/NAME``, and a revision; written ``hf://OWNER/NAME@REVISION``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from promptlet.errors import OptionError, shown

SCHEME = "hf://"
PROMPT = "prompt.safetensors"
"""The prompt file, there and in folders."""
_PLACE = re.compile(r"hf:/{1,2}([^@]*)(?:@(.*))?", re.DOTALL)  # a Path holds one of the two slashes
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_ID = re.compile(rf"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/-]{0,253}[A-Za-z0-9_-])?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
FORM = "OWNER/NAME, such as jane/pets: letters, digits, '-', '_' and '.'"


@dataclass(frozen=True)
class HubPlace:
    """id: OWNER/NAME; revision: a branch, a tag or a commit, None for the main branch. Always valid."""

    id: str
    revision: str | None = None

    def __post_init__(self) -> None:
        """Raise OptionError for what the hub cannot have."""
        checked_id(self.id)
        if self.revision is not None and not _is_revision(self.revision):
            raise OptionError(
                f"revision={shown(self.revision)} cannot be one of {self.id}; give a branch, a tag or a "
                "commit, such as main, v1.0 or 40 hexadecimal digits"
            )

    def __str__(self) -> str:
        return SCHEME + self.id + (f"@{self.revision}" if self.revision else "")

    @property
    def is_fixed(self) -> bool:
        """Whether it is a commit, which never changes."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None


def checked_id(text: str) -> str:
    """``text`` when the hub can have that id. Raises OptionError."""
    is_id = isinstance(text, str) and _ID.fullmatch(text) and len(text) <= 96
    if is_id and "--" not in text and ".." not in text and not text.endswith(".git"):
        return text
    hint = (
        f" Did you mean {text[len(SCHEME) :]}?" if isinstance(text, str) and text.startswith(SCHEME) else ""
    )
    raise OptionError(f"{shown(text)} is no id of the hub; give {FORM}.{hint}")


def is_place(given: str | Path) -> bool:
    """Whether it is written as a place of the hub is, ``hf://...``, and so no path."""
    return _PLACE.fullmatch(_text(given)) is not None


def place_of(given: str | Path) -> HubPlace:
    """The place that is written there. Raises OptionError."""
    match = _PLACE.fullmatch(_text(given))
    if match is None:
        raise OptionError(f"{shown(str(given))} is no place of the hub; write {SCHEME}OWNER/NAME[@REVISION]")
    return HubPlace(match[1], match[2])


def _text(given: str | Path) -> str:
    return given.as_posix() if isinstance(given, Path) else given


def _is_revision(text: str) -> bool:
    """A name of git's that leads out of no folder: the hub's library makes a file of that name."""
    return isinstance(text, str) and _REVISION.fullmatch(text) is not None and not re.search(r"\.\.|//", text)
