"""Text as people see it: what would act on a terminal, a table or a page, or hide, is shown as its escape."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CONTROLS = "\x00-\x1f\x7f-\x9f"
_LINES = "\u2028\u2029"
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_NO_CHARACTERS = "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff" + "".join(
    f"{chr(0x10000 * plane + 0xFFFE)}{chr(0x10000 * plane + 0xFFFF)}" for plane in range(1, 17)
)
_HIDDEN = re.compile(f"[{_CONTROLS}{_LINES}{_DIRECTIONS}{_INVISIBLE}{_NO_CHARACTERS}]")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_OWN = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def visible(text: object) -> str:
    """``text`` on one line, as it may reach a terminal, a table or a document.

    Control characters, what turns the direction of writing, what takes no room, and halves of characters
    (bytes of a file name that are no UTF-8) stand there as Python writes them: ``\\x1b``, ``\\u202e``,
    ``\\udcff``. Shown twice is shown once.
    """
    return _HIDDEN.sub(_escaped, str(text))


def visible_lines(text: str) -> str:
    """The same for text of several lines, whose line feeds and tabs are meant."""
    return _HIDDEN.sub(lambda found: found[0] if found[0] in "\n\t" else _escaped(found), text)


def cell(value: object) -> object:
    """A value as a cell of a table in CSV: text is `visible`, and has an apostrophe before it where a
    spreadsheet would take it for a formula; numbers, also in words, stay what they are."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def markdown_row(values: Sequence[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(visible(value.replace('|', '/').replace(chr(10), ' ')) for value in values)} |"


def _escaped(found: re.Match[str]) -> str:
    sign = found[0]
    code = ord(sign)
    wide = f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _OWN.get(sign) or (f"\\x{code:02x}" if code < 0x100 else wide)
