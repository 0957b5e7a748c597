"""Names of classes, which are folders on every system, and ids of projects, which are names of prompts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Any, Final, NamedTuple

from promptlet.characters import visible
from promptlet.data.files import is_passed_over
from promptlet.data.items import clean_class_name
from promptlet.errors import OptionError, shown

LONGEST: Final = 100
"""Characters of a class's name."""
MOST_BYTES: Final = 255
"""Of a folder's name, in the form that takes most."""
LONGEST_TITLE: Final = 100
LONGEST_ID: Final = 60
_NOT_IN_NAMES: Final = '<>:"/\\|?*'
"""Windows takes none of them in a name; / ends a folder's name everywhere."""
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
"""Names that Windows keeps for itself, with any ending."""
_JOINERS: Final = "\u200c\u200d"
"""Of Persian, of Indian scripts, of emoji: they take no room, and are part of how a word is written."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


def class_name(given: object) -> str:
    """The name as it is kept, cleaned as `promptlet fit` reads it: ``_`` is a space. Raises OptionError."""
    if not isinstance(given, str):
        raise OptionError(f"{shown(given)} is no name of a class; give a text")
    name = clean_class_name(given)
    wrong = _why_not(name)
    if wrong is not None:
        error = OptionError(f"{shown(visible(given), 120)} cannot be the name of a class: {wrong.words}")
        raise error.keyed(wrong.key, **wrong.values)
    return name


class _Wrong(NamedTuple):
    """words, and a key and values for pages in any language."""

    words: str
    key: str
    values: dict[str, Any]


def _why_not(name: str) -> _Wrong | None:
    if not name:
        return _Wrong("it is empty; give it a name", "name-empty", {})
    if len(name) > LONGEST:
        return _too_long(f"it has {len(name):,} characters; {LONGEST} are allowed")
    hidden = next((one for one in name if one not in _JOINERS and visible(one) != one), None)
    if hidden is not None:
        return _Wrong(f"it holds the invisible sign {visible(hidden)}; leave that out", "name-invisible", {})
    if any(one in _NOT_IN_NAMES for one in name):
        signs = " ".join(_NOT_IN_NAMES)
        words = f"it is the name of a folder too, which cannot hold any of {signs}"
        return _Wrong(words, "name-sign", {"signs": signs})
    if name.startswith("."):
        return _Wrong("it begins with a dot, as hidden folders do; leave the dot out", "name-dot", {})
    if name.endswith("."):
        words = "it ends with a dot, which Windows drops from the name of a folder; leave the dot out"
        return _Wrong(words, "name-dot", {})
    if _DEVICES.fullmatch(name.partition(".")[0].rstrip()):
        own = name.partition(".")[0]
        return _Wrong(f"Windows keeps the name {own} for itself; add a word", "name-kept", {"name": own})
    if is_passed_over(name):
        words = "folders of that name are made by systems, and passed over; add a word"
        return _Wrong(words, "name-kept", {"name": name})
    if len(unicodedata.normalize("NFD", name).encode("utf-8", "surrogatepass")) > MOST_BYTES:
        return _too_long(
            f"as the name of a folder it would take more than {MOST_BYTES} bytes; make it shorter"
        )
    return None


def _too_long(words: str) -> _Wrong:
    return _Wrong(words, "name-long", {"most": LONGEST})


def key_of(name: str) -> str:
    """The same for names that `promptlet fit`, or a disk, would take for one."""
    folded = unicodedata.normalize("NFC", clean_class_name(name).casefold())
    return "".join(one for one in folded if one not in _JOINERS)


def title(given: object) -> str:
    """What people call a project: on one line. Raises OptionError."""
    text = " ".join(given.split()) if isinstance(given, str) else ""
    if not text:
        raise OptionError(f"{shown(given)} is no title; give a project a name, such as Birds of our garden")
    if len(text) > LONGEST_TITLE:
        words = f"the title has {len(text):,} characters; {LONGEST_TITLE} are allowed"
        raise OptionError(words).keyed("name-long", most=LONGEST_TITLE)
    if any(one not in _JOINERS and visible(one) != one for one in text):
        words = f"the title {shown(visible(text))} holds invisible signs; leave them out"
        raise OptionError(words).keyed("name-invisible")
    return unicodedata.normalize("NFC", text)


def is_id(name: str) -> bool:
    """Whether a project, and its prompt, may be called so."""
    return _ID.fullmatch(name) is not None and not name.endswith((".prompt", "."))


def id_of(text: str, taken: Collection[str]) -> str:
    """An id made of a title that is not among those taken, whatever their case."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:LONGEST_ID].strip("-") or "project"
    if _DEVICES.fullmatch(base):
        base = f"{base}-project"
    used = {one.casefold() for one in taken}
    number, found = 1, base
    while found in used:
        number += 1
        found = f"{base}-{number}"
    return found
